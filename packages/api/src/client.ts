import { type core, safeParse } from 'zod'
import { endpoints } from './endpoints.ts'
import type { Endpoint } from './endpoints/endpoint.ts'
import type { gatewayEndpoints } from './endpoints/gateway.ts'
import type { paymentEndpoints } from './endpoints/payments.ts'
import type { AuthEndpoint, authRequests } from './requests/auth.ts'
import type { authResponses } from './responses/auth.ts'
import { problem as problemSchema } from './responses/problem.ts'

type AuthListed<Key extends AuthEndpoint = AuthEndpoint> = Key extends `${infer M} ${infer Path}`
  ? {
      method: M
      path: `/api/auth${Path}`
      responses: { 200: (typeof authResponses)[Key] }
    } & (M extends 'GET'
      ? { query: (typeof authRequests)[Key] }
      : { body: (typeof authRequests)[Key] })
  : never

type Listed = (typeof gatewayEndpoints)[number] | (typeof paymentEndpoints)[number] | AuthListed

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
/** The value of a success of the endpoint. */
export type CallValue<Key extends Operation> = ValueOf<EndpointOf<Key>>
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
 * - `invalid`: a success that does not match, or with a status that the endpoint does not have, for
 *   example of a proxy.
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
  /** Calls an endpoint. @throws what `fetch` throws if there is no response, or if it breaks off */
  call<Key extends Operation>(
    operation: Key,
    options: CallOptions<Key>,
  ): Promise<CallResult<CallValue<Key>>>
}

interface Parts {
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
  params?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, string | number>>
  body?: unknown
}

const listed = new Map<string, Endpoint>(
  endpoints.map((each) => [`${each.method} ${each.path}`, each]),
)

/**
 * Creates a client of every endpoint of the contract. The compiler checks parameters, queries and
 * bodies, and a response is parsed before it is returned.
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
  const body = readJson(await response.text())
  if (!response.ok) {
    const parsed = safeParse(problemSchema, body)
    return { outcome: 'problem', status, headers, problem: parsed.success ? parsed.data : {} }
  }
  if (!(status in endpoint.responses)) return { outcome: 'invalid', status, headers }
  const schema = endpoint.responses[status]
  if (!schema) return { outcome: 'ok', status, headers, value: body }
  const parsed = safeParse(schema, body)
  return parsed.success
    ? { outcome: 'ok', status, headers, value: parsed.data }
    : { outcome: 'invalid', status, headers }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
