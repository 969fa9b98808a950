/** The code of a refused connection: the request was not sent. */
const NOT_SENT = 'ECONNREFUSED'

let requests = 0

/**
 * Sends a request to one of the gateways, starting with another one each time. It tries the next
 * one if the connection is refused, and for a GET also if it breaks off: any other request may have
 * run.
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
    const origin = origins[(first + tried) % origins.length]
    try {
      return await fetch(new URL(path, origin), init)
    } catch (error) {
      failure = error
      const isRead = (init.method ?? 'GET') === 'GET' && !init.signal?.aborted
      if (codeOf(error) !== NOT_SENT && !isRead) throw error
    }
  }
  throw failure
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
