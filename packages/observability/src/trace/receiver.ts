/** The reasons for which spans are dropped, as the label `reason`. */
export const dropReasons = ['queue_full', 'unreachable', 'timeout', 'refused', 'shutdown'] as const

export type DropReason = (typeof dropReasons)[number]

/** The receiver accepted a batch, or not. */
export type Sent =
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

/**
 * Sends one batch to a receiver of OTLP over HTTP. It ends within `timeoutMs`, in any state of the
 * receiver, at once when `closing` is aborted, and never throws. Redirects are not followed: the headers can contain a credential.
 */
export async function sendTo(
  { url, headers, timeoutMs }: Receiver,
  body: Uint8Array<ArrayBuffer>,
  closing: AbortSignal,
): Promise<Sent> {
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closing])
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'threefold-otlp', ...headers },
      body,
      redirect: 'manual',
      signal,
    })
    const text = await readStart(response)
    if (response.ok) return { outcome: 'accepted', rejectedSpans: rejectedSpans(text) }
    const mayRetry = RETRIED_STATUSES.has(response.status)
    const cause = new Error(`the receiver of traces responded with ${response.status}`)
    return { outcome: 'failed', reason: 'refused', mayRetry, cause }
  } catch (error) {
    const reason = signal.aborted ? 'timeout' : 'unreachable'
    const message = signal.aborted
      ? `the receiver of traces sent no response within ${timeoutMs} ms`
      : 'the receiver of traces is unreachable'
    const cause = new Error(message, { cause: error })
    return { outcome: 'failed', reason, mayRetry: true, cause }
  }
}

/** Reads the response, and drops what is longer than needed. */
async function readStart(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    // The end of the loop cancels the rest.
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
