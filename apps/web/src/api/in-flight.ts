import { setTimeout as wait } from 'node:timers/promises'
import type { Answer } from './answer.ts'

/** Attempts of a double click end one after the other, within milliseconds. */
const EVERY_MS = 200
const REPEATS = 10

/** Whether an earlier attempt with the same key is still in progress, so its response is not there yet. */
export function isInFlight(answer: Answer<unknown>): boolean {
  return answer.outcome === 'invalid' && answer.code === 'idempotency-in-flight'
}

/**
 * Sends a request with a key again while an earlier attempt is in progress, for about two seconds. The
 * answer is then that of the earlier attempt.
 */
export async function untilDecided<T>(
  send: () => Promise<Answer<T>>,
  everyMs = EVERY_MS,
): Promise<Answer<T>> {
  for (let repeats = 0; ; repeats += 1) {
    const answer = await send()
    if (!isInFlight(answer) || repeats === REPEATS) return answer
    await wait(everyMs)
  }
}
