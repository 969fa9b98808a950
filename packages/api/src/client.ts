import { type core, safeParse } from 'zod'
import type { Endpoint } from './endpoints/endpoint.ts'
import { gatewayEndpoints } from './endpoints/gateway.ts'
import { paymentEndpoints } from './endpoints/payments.ts'
import { problem as problemSchema } from './responses/problem.ts'

type Listed = (typeof gatewayEndpoints)[number] | (typeof paymentEndpoints)[number]

type KeyOf<E> = E extends { method: infer M extends string; path: infer P extends string }
  ? `${M} ${P}`
  : never

/** The method and the path of an endpoint, such as `GET /api/payments/{id}`. */
export type Operation = KeyOf<Listed>

type EndpointOf<Key extends Operation> = Extract<
  Listed,
  { path: PathOf<Key>; method: MethodOf<Key> }
>
type PathOf<Key> = Key extends `${string} ${infer Path}` ? Path : never
type MethodOf<Key> = Key extends `${infer Method} ${string}` ? Method : never

type ParameterOf<Path> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never

type SuccessOf<E> = E extends { responses: infer R }
  ? { [Status in keyof R]: Status extends 200 | 201 ? R[Status] : never }[keyof R]
  : never
type ValueOf<E> = SuccessOf<E> extends core.$ZodType ? core.output<SuccessOf<E>> : unknown

/** The parts of a request that the endpoint has. */
export type CallOptions<Key extends Operation> = {
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
} & ([ParameterOf<PathOf<Key>>] extends [never]
  ? unknown
  : { params: Readonly<Record<ParameterOf<PathOf<Key>>, string>> }) &
  (EndpointOf<Key> extends { body: infer Body extends core.$ZodType }
    ? { body: core.input<Body> }
    : unknown) &
  (EndpointOf<Key> extends { query: core.$ZodType }
    ? { query?: Readonly<Record<string, string | number>> }
    : unknown)

/**
 * - `ok`: a success that matches the schema of the endpoint.
 * - `problem`: the service refused the request (RFC 9457).
 * - `invalid`: a success that does not match, for example of a proxy.
 */
export type CallResult<Value> =
  | { outcome: 'ok'; status: number; headers: Headers; value: Value }
  | {
      outcome: 'problem'
      status: number
      headers: Headers
      problem: core.output<typeof problemSchema>
    }
  | { outcome: 'invalid'; status: number; headers: Headers }

export interface Client {
  /** Calls an endpoint. @throws what `fetch` throws if there is no response */
  call<Key extends Operation>(
    operation: Key,
    options: CallOptions<Key>,
  ): Promise<CallResult<ValueOf<EndpointOf<Key>>>>
}

interface Parts {
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
  params?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, string | number>>
  body?: unknown
}

const listed = new Map<string, Endpoint>(
  [...gatewayEndpoints, ...paymentEndpoints].map((each) => [`${each.method} ${each.path}`, each]),
)

/**
 * Creates a client of the endpoints of the gateway and of payments. The compiler checks parameters,
 * queries and bodies, and a response is parsed before it is returned.
 *
 * @param origin the origin of the API
 * @param fetch sends a request; the global one by default
 */
export function createClient({
  origin,
  fetch = globalThis.fetch,
}: {
  origin: string
  fetch?: (url: URL, init: RequestInit) => Promise<Response>
}): Client {
  async function send(operation: string, parts: Parts): Promise<CallResult<unknown>> {
    const endpoint = listed.get(operation)
    if (!endpoint) throw new TypeError(`there is no endpoint ${operation}`)
    const { params = {}, query = {}, body, headers = {}, signal } = parts
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(params[name] ?? ''),
    )
    const url = new URL(path, origin)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
    const response = await fetch(url, {
      method: endpoint.method,
      redirect: 'manual',
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    return readResult(endpoint, response)
  }

  return {
    // The schema of the endpoint has parsed the value, so it has the type of the endpoint.
    call: send,
  }
}

async function readResult(endpoint: Endpoint, response: Response): Promise<CallResult<unknown>> {
  const { status, headers } = response
  const body: unknown = await response.json().catch(() => undefined)
  if (!response.ok) {
    const parsed = safeParse(problemSchema, body)
    return { outcome: 'problem', status, headers, problem: parsed.success ? parsed.data : {} }
  }
  const schema = endpoint.responses[status]
  if (!schema) return { outcome: 'ok', status, headers, value: body }
  const parsed = safeParse(schema, body)
  return parsed.success
    ? { outcome: 'ok', status, headers, value: parsed.data }
    : { outcome: 'invalid', status, headers }
}
