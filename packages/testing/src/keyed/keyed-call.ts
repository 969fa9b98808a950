import { setTimeout as wait } from 'node:timers/promises'

/** A response to one attempt. */
export interface KeyedResponse {
  /** 0 without a complete response. */
  readonly status: number
  readonly body: string
  /** `Retry-After` in seconds. */
  readonly retryAfterS?: number
  /** The response has `Idempotency-Replayed: true`. */
  readonly isReplay?: boolean
  /** The reason why no response arrived. */
  readonly error?: string
}

/** Sends the request of one key once. It resolves with status 0 when the signal aborts, and never rejects. */
export type SendKeyed = (signal?: AbortSignal) => Promise<KeyedResponse>

/**
 * The behaviour of the clients of one key.
 * - `once`: one client sends the request until it has a final response.
 * - `cut`: its first connection ends at a random moment, and it sends the request again.
 * - `again`: it has the response, and sends the request again, as a reload does.
 * - `together`: two clients send the request at the same time, as two tabs do.
 */
export type Habit = 'once' | 'cut' | 'again' | 'together'

export const HABITS: readonly Habit[] = ['once', 'cut', 'again', 'together']

/** The history of all clients of one key. */
export interface KeyedCall {
  readonly key: string
  /** Each final response that reached a client. */
  readonly responses: readonly KeyedResponse[]
  /** The number of clients that received no final response before they gave up. */
  readonly unanswered: number
  readonly attempts: number
  /** The number of attempts that received 409. */
  readonly conflicts: number
  /** The reason of each attempt that failed and that the client did not cut: no response, or 5xx. */
  readonly failures: readonly string[]
  /** The longest time from the first attempt of a client to its final response, in ms. */
  readonly longestMs: number
}

export interface KeyedCallOptions {
  key: string
  habit: Habit
  send: SendKeyed
  /** A client sends no attempt after this time. */
  giveUpMs?: number
  /** The longest pause between two attempts, also when `Retry-After` is longer. */
  maxPauseMs?: number
  /** The latest moment of a cut. */
  cutWithinMs?: number
}

const FIRST_PAUSE_MS = 50
const REPEATED = new Set([0, 409, 425, 429])

/** A response after which a client does not send the request again. */
function isFinal({ status }: KeyedResponse): boolean {
  return status < 500 && !REPEATED.has(status)
}

/** Sends a request with its key as the clients of a habit do, until each has a final response. */
export async function callKeyed({
  key,
  habit,
  send,
  giveUpMs = 60_000,
  maxPauseMs = 1_000,
  cutWithinMs = 40,
}: KeyedCallOptions): Promise<KeyedCall> {
  const responses: KeyedResponse[] = []
  const failures: string[] = []
  let [attempts, conflicts, unanswered, longestMs] = [0, 0, 0, 0]

  async function attempt(): Promise<KeyedResponse> {
    attempts += 1
    const response = await send()
    if (response.status === 409) conflicts += 1
    if (response.status === 0 || response.status >= 500) {
      failures.push(response.error ?? `${response.status} ${response.body.slice(0, 120)}`)
    }
    return response
  }

  async function cut() {
    attempts += 1
    const response = await send(AbortSignal.timeout(Math.ceil(Math.random() * cutWithinMs)))
    // It can arrive before the cut. Then it counts, although the client sends the request again.
    if (response.status !== 0 && isFinal(response)) responses.push(response)
  }

  async function client(): Promise<void> {
    const startedAtMs = performance.now()
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
      const response = await attempt()
      const ms = performance.now() - startedAtMs
      longestMs = Math.max(longestMs, ms)
      if (isFinal(response)) return void responses.push(response)
      if (ms > giveUpMs) return void (unanswered += 1)
      const { retryAfterS } = response
      await wait(Math.min(retryAfterS === undefined ? pauseMs : retryAfterS * 1_000, maxPauseMs))
    }
  }

  if (habit === 'cut') await cut()
  await Promise.all(habit === 'together' ? [client(), client()] : [client()])
  if (habit === 'again') await client()
  return { key, responses, unanswered, attempts, conflicts, failures, longestMs }
}
