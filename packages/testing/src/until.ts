import { setTimeout as wait } from 'node:timers/promises'
import { inspect } from 'node:util'

type Truthy<T> = Exclude<T, false | 0 | 0n | '' | null | undefined | void>

export interface UntilOptions {
  timeoutMs?: number
  everyMs?: number
  /** The awaited fact, for the error. */
  message?: string
}

/**
 * Waits for an observed fact: probes until the answer is truthy, and returns it. A probe that throws
 * is called again.
 * @throws Error after `timeoutMs`, also when a probe hangs; it contains the last value
 */
export async function until<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 10, message = 'the awaited fact' }: UntilOptions = {},
): Promise<Truthy<T>> {
  // Not a timer that a test's fake clock could hold.
  const deadline = AbortSignal.timeout(timeoutMs)
  const { promise: late, resolve: giveUp } = Promise.withResolvers<typeof LATE>()
  deadline.addEventListener('abort', () => giveUp(LATE))
  let seen = 'nothing'
  let cause: unknown
  while (!deadline.aborted) {
    try {
      const answer = await Promise.race([probe(), late])
      if (answer === LATE) seen += ', then a probe without an answer'
      else if (isTruthy(answer)) return answer
      else seen = inspect(answer)
    } catch (error) {
      cause = error
      seen = `it threw ${inspect(error)}`
    }
    await wait(everyMs)
  }
  throw new Error(`${message}: not within ${timeoutMs} ms. Last seen: ${seen}`, { cause })
}

const LATE = Symbol('late')

function isTruthy<T>(answer: T): answer is Truthy<T> & T {
  return Boolean(answer)
}
