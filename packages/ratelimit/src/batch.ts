import type { Asked } from './check.ts'
import { MAX_COUNTS } from './places.ts'

/** So many needs are in one script at most, some 0.2 ms of the server. */
const MAX_NEEDS = MAX_COUNTS

/**
 * Gathers concurrent checks into few script calls. With nothing on its way a check leaves at the end
 * of its tick, so that batching costs no time; else with all others of its turn of the event loop.
 * @param run sends a batch, and tells each of it what was answered
 */
export function createBatch(
  run: (batch: Asked[], onAnswer: () => void) => Promise<void>,
): (asked: Asked) => void {
  let waiting: Asked[] = []
  let needs = 0
  let inFlight = 0
  let armed = false

  function flush() {
    armed = false
    const all = waiting
    const total = needs
    waiting = []
    needs = 0
    const parts = Math.ceil(total / MAX_NEEDS)
    let part = 1
    let from = 0
    let before = 0
    let size = 0
    for (let i = 0; i < all.length; i += 1) {
      const more = all[i]?.check.needs.length ?? 0
      // In parts of one size: a small one at the end would cost as much as another.
      if (size > 0 && (size + more > MAX_NEEDS || before >= (total * part) / parts)) {
        void send(all.slice(from, i))
        part += 1
        from = i
        size = 0
      }
      size += more
      before += more
    }
    if (all.length > 0) void send(from === 0 ? all : all.slice(from))
  }

  async function send(batch: Asked[]) {
    let open = true
    inFlight += 1
    // Before anyone is told: who asks again at once is not behind his own answer.
    const onAnswer = () => {
      if (open) inFlight -= 1
      open = false
    }
    try {
      await run(batch, onAnswer)
    } catch (error) {
      onAnswer()
      for (const { unanswered } of batch) unanswered(error)
    }
  }

  return (asked) => {
    waiting.push(asked)
    needs += asked.check.needs.length
    if (armed) return
    armed = true
    if (inFlight === 0) process.nextTick(flush)
    else setImmediate(flush)
  }
}
