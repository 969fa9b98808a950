/** Work in flight, at most, unless the caller sets another limit. */
const MAX_CALLS = 64
const MAX_BYTES = 2 ** 20
/** Started entries of the queue are removed when it has more of them than this. */
const MAX_STARTED = 1_000

/** A piece of work of a pace. */
export interface PacedWork<T> {
  bytes: number
  run: () => Promise<T>
  /** After the reply, the work counts as in flight until this promise is settled. */
  hold?: ((reply: T) => Promise<void>) | undefined
}

export type Pace = <T>(work: PacedWork<T>) => Promise<T>

/**
 * Starts work in the order of its calls, and limits the calls and bytes in flight, so that other users
 * of a connection are served in between. `run` is called after the wait, so a deadline that begins in
 * `run` does not include it. Work that is larger than `maxBytes` runs alone.
 */
export function createPace({ maxCalls = MAX_CALLS, maxBytes = MAX_BYTES } = {}): Pace {
  const waiting: { bytes: number; start: () => void }[] = []
  let next = 0
  let calls = 0
  let bytesInFlight = 0

  function isFree(bytes: number): boolean {
    return calls === 0 || (calls < maxCalls && bytesInFlight + bytes <= maxBytes)
  }

  async function start<T>({ bytes, run, hold }: PacedWork<T>): Promise<T> {
    calls += 1
    bytesInFlight += bytes
    let held: Promise<void> | undefined
    try {
      const reply = await run()
      held = hold?.(reply)
      return reply
    } finally {
      if (held) void held.finally(() => end(bytes))
      else end(bytes)
    }
  }

  function end(bytes: number): void {
    calls -= 1
    bytesInFlight -= bytes
    for (let first = waiting[next]; first && isFree(first.bytes); first = waiting[next]) {
      next += 1
      first.start()
    }
    if (next === waiting.length || next > MAX_STARTED) {
      waiting.splice(0, next)
      next = 0
    }
  }

  return (work) => {
    if (waiting.length === 0 && isFree(work.bytes)) return start(work)
    return new Promise((resolve) => {
      waiting.push({ bytes: work.bytes, start: () => resolve(start(work)) })
    })
  }
}
