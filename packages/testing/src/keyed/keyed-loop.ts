import { callKeyed, HABITS, type KeyedCall, type SendKeyed } from './keyed-call.ts'

export interface KeyedLoop {
  /** The calls that have ended. */
  readonly calls: readonly KeyedCall[]
  /** Starts no more calls, and waits for those in flight. */
  stop(): Promise<readonly KeyedCall[]>
}

/**
 * Callers that each make one call with a new key after the other until they are stopped. The habits take turns.
 *
 * @param requestOf the key and the request of the call with this number, which counts from 0
 */
export function startKeyedLoop(
  callers: number,
  requestOf: (n: number) => { key: string; send: SendKeyed },
): KeyedLoop {
  const calls: KeyedCall[] = []
  const stopping = new AbortController()
  let started = 0

  async function caller() {
    while (!stopping.signal.aborted) {
      const n = started
      started += 1
      const habit = HABITS[n % HABITS.length] ?? 'once'
      calls.push(await callKeyed({ ...requestOf(n), habit }))
    }
  }
  const ended = Promise.all(Array.from({ length: callers }, caller))
  return {
    calls,
    async stop() {
      stopping.abort()
      await ended
      return calls
    },
  }
}
