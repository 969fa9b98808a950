import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** The reasons for which spans are dropped, as the label `reason`. */
export const dropReasons = ['queue_full', 'unreachable', 'timeout', 'refused', 'shutdown'] as const

export type DropReason = (typeof dropReasons)[number]

/** The receiver accepted a batch, or not. */
type Sent =
  | { outcome: 'accepted'; rejectedSpans: number }
  | { outcome: 'failed'; reason: DropReason; mayRetry: boolean; cause: Error }

/** The largest response that is read, in characters. */
const MAX_RESPONSE = 65_536
/** OTLP 1.x, "Failures": the client may send the data again after these. */
const RETRIED_STATUSES = new Set([429, 502, 503, 504])

export interface Receiver {
  url: string
  headers: Readonly<Record<string, string>>
  timeoutMs: number
}

interface Sender {
  /** Sends one batch. It ends within `timeoutMs`, in any state of the receiver, and never throws. */
  send(parts: readonly Buffer[]): Promise<Sent>
  /** Ends a request in flight, and closes the connection. */
  close(): void
}

/**
 * Creates the sender of batches to a receiver of OTLP over HTTP. It uses node:http: a request by `fetch`
 * copies its body and costs several times as much. Redirects are not followed, because the headers can
 * contain a credential.
 */
export function createSender({ url, headers, timeoutMs }: Receiver): Sender {
  const isTls = url.startsWith('https:')
  const begin = isTls ? httpsRequest : httpRequest
  const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 })
  const closing = new AbortController()

  function failedWith(isLate: boolean, error: unknown): Sent {
    if (closing.signal.aborted) {
      const cause = new Error('this instance ended while it sent traces', { cause: error })
      return { outcome: 'failed', reason: 'shutdown', mayRetry: false, cause }
    }
    const reason = isLate ? 'timeout' : 'unreachable'
    const message = isLate
      ? `the receiver of traces sent no response within ${timeoutMs} ms`
      : 'the receiver of traces is unreachable'
    return {
      outcome: 'failed',
      reason,
      mayRetry: true,
      cause: new Error(message, { cause: error }),
    }
  }

  async function request(parts: readonly Buffer[], signal: AbortSignal): Promise<Sent> {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const req = begin(url, {
      ...{ method: 'POST', agent, signal },
      headers: {
        ...{ 'content-type': 'application/json', 'user-agent': 'threefold-otlp', ...headers },
        'content-length': length,
      },
    })
    const { promise: response, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    req.on('response', resolve).on('error', reject)
    // An error before the response is awaited, while the body is written.
    response.catch(() => undefined)
    for (const part of parts) {
      req.write(part)
      await nextTurn()
    }
    req.end()
    const res = await response
    return toSent(res.statusCode ?? 0, await readStart(res))
  }

  return {
    async send(parts) {
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closing.signal])
      try {
        return await request(parts, signal)
      } catch (error) {
        return failedWith(signal.aborted, error)
      }
    },
    close() {
      closing.abort()
      agent.destroy()
    },
  }
}

function toSent(status: number, text: string): Sent {
  if (status >= 200 && status < 300) {
    return { outcome: 'accepted', rejectedSpans: rejectedSpans(text) }
  }
  const cause = new Error(`the receiver of traces responded with ${status}`)
  return { outcome: 'failed', reason: 'refused', mayRetry: RETRIED_STATUSES.has(status), cause }
}

/** Reads the response, and drops what is longer than needed. */
async function readStart(res: IncomingMessage): Promise<string> {
  let text = ''
  res.setEncoding('utf8')
  for await (const chunk of res) {
    text += String(chunk)
    // The end of the loop closes the connection.
    if (text.length > MAX_RESPONSE) break
  }
  return text
}

/** Returns the number of spans that an accepting receiver has rejected (`partialSuccess`). */
function rejectedSpans(text: string): number {
  if (!text.includes('rejectedSpans')) return 0
  const [, digits] = /"rejectedSpans"\s*:\s*"?(\d{1,9})\b/.exec(text) ?? []
  return Number(digits ?? 0)
}
