import { createBatchQueue } from '@repo/concurrency'
import type { Asked } from '../store.ts'
import { MAX_COUNTS } from './take-batch.ts'

/** So many needs are in one script at most, some 0.2 ms of the server. */
const MAX_NEEDS = MAX_COUNTS
/** Needs that are sent and not answered, at most: some 10 ms of the server. */
const MAX_SENT_NEEDS = 4_000

/** Checks that wait until others are answered. */
interface Held {
  readonly batch: Asked[]
  readonly size: number
}

type RunBatch = (batch: Asked[], onEnd: (noAnswer?: unknown) => void) => void

/**
 * Gathers concurrent checks into few script calls. With nothing in flight a check is sent at the end
 * of its tick, so that batching costs no time; else with all others of its turn of the event loop.
 * While checks arrive one by one, the first one is sent at once: there is nothing to wait for.
 *
 * Of tens of thousands of checks at once a part is sent, and the rest as answers arrive: the deadline
 * of a check counts from when it is sent. When a batch is not answered, all that wait behind it fail.
 * @param run sends a batch; it never throws, and calls `onEnd` once, before it passes on the outcome,
 *   so that a caller that checks again at once does not wait for its own answer; with the error when
 *   there was no answer
 */
export function createBatch(run: RunBatch): (asked: Asked) => void {
  let inFlight = 0
  let sentNeeds = 0
  let held: Held[] = []
  let lastSize = 0
  const { add, isEmpty } = createBatchQueue<Asked>({
    handle: sendInParts,
    schedule(flush) {
      if (inFlight === 0) process.nextTick(flush)
      else setImmediate(flush)
    },
  })

  function sendInParts(all: Asked[]) {
    let total = 0
    for (const { check } of all) total += check.needs.length
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
        send(all.slice(from, i), size)
        part += 1
        from = i
        size = 0
      }
      size += more
      before += more
    }
    send(from === 0 ? all : all.slice(from), size)
  }

  function send(batch: Asked[], size: number) {
    if (sentNeeds > 0 && sentNeeds + size > MAX_SENT_NEEDS) {
      held.push({ batch, size })
      return
    }
    inFlight += 1
    sentNeeds += size
    run(batch, (noAnswer) => {
      inFlight -= 1
      sentNeeds -= size
      if (held.length > 0) sendHeld(noAnswer)
    })
  }

  function sendHeld(noAnswer: unknown) {
    const next = held
    held = []
    for (const { batch, size: needed } of next) {
      if (noAnswer === undefined) send(batch, needed)
      else for (const { unanswered } of batch) unanswered(noAnswer)
    }
  }

  return (asked) => {
    if (inFlight === 0 && lastSize === 1 && isEmpty()) send([asked], asked.check.needs.length)
    else add(asked)
  }
}
