/** What a connection that was refused says: nothing was sent. */
const NOT_SENT = 'ECONNREFUSED'

let turn = 0

/**
 * Asks one of the gateways, another one first each time. Where the connection is refused the next is
 * asked; a GET that broke off is asked again too, and nothing else is, since it may have run.
 *
 * @throws the last failure, when no gateway is left
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
