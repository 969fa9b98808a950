/** A part of the work for a request, in the order in which a route lists them. */
export type StageName =
  | 'check-source'
  | 'enrich'
  | 'authenticate'
  | 'limit'
  | 'refuse-key'
  | 'refuse-method'
  | 'require-session'
  | 'check-feature'
  | 'idempotency'
  | 'serve'
  | 'forward'

/** All facts about the requests of one place in the table. They are compiled once. */
export interface Route {
  /** The position in the list of routes. */
  readonly index: number
  /** The path of an endpoint, such as `/api/payments/{id}`, or a prefix, such as `/api/payments/*`. */
  readonly match: string
  /** Undefined: every method that no other route of the path has. */
  readonly methods: readonly string[] | undefined
  /** The name of the service; undefined: the gateway serves it. */
  readonly upstream: string | undefined
  readonly stages: readonly StageName[]
  readonly bodyLimitBytes: number
  /** The longest time until the end of the response; undefined: unlimited. */
  readonly deadlineMs: number | undefined
  /**
   * - `open`: the service authenticates callers.
   * - `checked`: the session is checked, and the route of the gateway decides.
   * - `required`: a caller without a session is refused.
   */
  readonly auth: 'open' | 'checked' | 'required'
  /** The scope that an API key needs; undefined: no API key can use the route. */
  readonly scope: string | undefined
  /** Whether the header `Idempotency-Key` has an effect. */
  readonly idempotency: 'none' | 'optional' | 'required'
  /** Whether the service commits the key with its work, so that the request can be sent again. */
  readonly exactlyOnce: boolean
  /** Whether the path accepts WebSockets. Without it, a handshake is a plain request. */
  readonly websocket: boolean
  /** The value of `Allow`, for a route of wrong methods. */
  readonly allow: string | undefined
}
