import type { Asked } from './check.ts'
import { MAX_COUNTS } from './places.ts'

/** So many needs are in one script at most, some 0.2 ms of the server. */
const MAX_NEEDS = MAX_COUNTS

/**
 * Gathers concurrent checks into few script calls. With nothing in flight a check is sent at the end
 * of its tick, so that batching costs no time; else with all others of its turn of the event loop.
 * While checks arrive one by one, the first one is sent at once: there is nothing to wait for.
 * @param run sends a batch; it never throws, and calls `onEnd` once, before it passes on the outcome,
 *   so that a caller that checks again at once does not wait for its own answer
 */
export function createBatch(
  run: (batch: Asked[], onEnd: () => void) => void,
): (asked: Asked) => void {
  let waiting: Asked[] = []
  let needs = 0
  let inFlight = 0
  let armed = false
  let lastSize = 0

  function flush() {
    armed = false
    const all = waiting
    const total = needs
    waiting = []
    needs = 0
    lastSize = all.length
    const parts = Math.ceil(total / MAX_NEEDS)
    let part = 1
    let from = 0
    let before = 0
    let size = 0
    for (let i = 0; i < all.length; i += 1) {
      const more = all[i]?.check.needs.length ?? 0
      // In parts of one size: a small one at the end would cost as much as another.
      if (size > 0 && (size + more > MAX_NEEDS || before >= (total * part) / parts)) {
        send(all.slice(from, i))
        part += 1
        from = i
        size = 0
      }
      size += more
      before += more
    }
    if (all.length > 0) send(from === 0 ? all : all.slice(from))
  }

  function send(batch: Asked[]) {
    inFlight += 1
    run(batch, onEnd)
  }

  function onEnd() {
    inFlight -= 1
  }

  return (asked) => {
    if (inFlight === 0 && lastSize === 1 && !armed) {
      send([asked])
      return
    }
    waiting.push(asked)
    needs += asked.check.needs.length
    if (armed) return
    armed = true
    if (inFlight === 0) process.nextTick(flush)
    else setImmediate(flush)
  }
}
