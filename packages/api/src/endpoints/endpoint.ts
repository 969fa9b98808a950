import type { core } from 'zod'
import type { Scope } from '../scopes.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One operation of the HTTP contract. */
export interface Endpoint {
  readonly method: Method
  /** A parameter is one whole segment in braces: `/api/payments/{id}`. */
  readonly path: `/api/${string}`
  /** The group in the documents. */
  readonly tag: string
  /** One line without a full stop. */
  readonly summary: string
  /** The callers that it accepts. The service refuses every other caller. */
  readonly auth: 'open' | 'signed-in' | 'administrator'
  /** The permission that an API key needs. Without a scope, no API key can call the endpoint. */
  readonly scope?: Scope
  readonly query?: core.$ZodType
  readonly body?: core.$ZodType
  /** Success and the problems of this endpoint, by status; undefined: the response has no schema. */
  readonly responses: Readonly<Record<number, core.$ZodType | undefined>>
  /** The type of the body of a success; `application/json` by default. */
  readonly mediaType?: string
  /** The largest body in bytes; the gateway's limit by default. */
  readonly bodyLimitBytes?: number
  /** The longest time until the end of the response in milliseconds; unlimited by default. */
  readonly deadlineMs?: number
  /** Whether the header `Idempotency-Key` is accepted or demanded; ignored by default. */
  readonly idempotency?: 'optional' | 'required'
  /**
   * Whether the service commits the key in the transaction of the work. Then the gateway may send a
   * request with a key to another instance again, and forwards it although its store is unavailable.
   */
  readonly exactlyOnce?: true
  /** Whether the path accepts an upgrade to WebSocket. */
  readonly websocket?: boolean
  /** Whether the service receives the session cookie. */
  readonly cookies?: boolean
}
