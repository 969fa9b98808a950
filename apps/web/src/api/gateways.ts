/** The code of a refused connection: the request was not sent. */
const NOT_SENT = 'ECONNREFUSED'

let turn = 0

/**
 * Sends a request to one of the gateways, starting with another one each time. It tries the next one
 * if the connection is refused, and for a GET also if it breaks off: any other request may have run.
 *
 * @throws the last failure if every gateway failed
 */
export async function fetchFrom(
  origins: readonly string[],
  path: string,
  init: RequestInit,
): Promise<Response> {
  turn += 1
  let failure: unknown
  for (let tried = 0; tried < origins.length; tried += 1) {
    const origin = origins[(turn + tried) % origins.length]
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

function codeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}
