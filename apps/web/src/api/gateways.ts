import { sharedCallTraces } from '../server/call-trace.ts'

/** The code of a refused connection: the request was not sent. */
const NOT_SENT = 'ECONNREFUSED'

let requests = 0

/**
 * Sends a request to one of the gateways, starting with another one each time. It tries the next
 * one if the connection is refused. A GET and a request with an `Idempotency-Key` are also sent again
 * if the connection breaks off. Any other request may have run.
 *
 * @throws the last failure if every gateway failed
 */
export async function fetchFrom(
  origins: readonly string[],
  path: string,
  init: RequestInit,
): Promise<Response> {
  const first = firstOf(origins.length)
  let failure: unknown
  for (let tried = 0; tried < origins.length; tried += 1) {
    const origin = origins[(first + tried) % origins.length] ?? ''
    try {
      return await fetchTraced(origin, path, init, tried + 1)
    } catch (error) {
      failure = error
      const canRepeat = isRepeatable(init) && !init.signal?.aborted
      if (codeOf(error) !== NOT_SENT && !canRepeat) throw error
    }
  }
  throw failure
}

/** Whether a repetition of the request has no second effect. */
function isRepeatable({ method = 'GET', headers }: RequestInit): boolean {
  return method === 'GET' || new Headers(headers).has('idempotency-key')
}

/** Each attempt is a span of its own, which is the parent of the spans of the gateway. */
async function fetchTraced(
  origin: string,
  path: string,
  init: RequestInit,
  number: number,
): Promise<Response> {
  const traces = sharedCallTraces()
  const trace = traces?.current()?.(origin, number)
  const headers = new Headers(init.headers)
  if (trace) headers.set('traceparent', trace.traceparent)
  if (traces?.key !== undefined) headers.set('x-trace-key', traces.key)
  try {
    const response = await fetch(new URL(path, origin), { ...init, headers })
    trace?.head(response.status, Object.fromEntries(response.headers))
    trace?.end(response.status < 500 ? 'ok' : 'error')
    return response
  } catch (error) {
    trace?.end(codeOf(error) === NOT_SENT ? 'refused' : 'error')
    throw error
  }
}

/**
 * The first gateway to try. Each round begins with another one: a page with as many calls as there
 * are gateways would otherwise send the same call to the same gateway every time.
 */
function firstOf(count: number): number {
  const round = Math.floor(requests / count)
  const first = (requests + round) % count
  requests += 1
  return first
}

function codeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}
