import { createBatchQueue } from '@repo/concurrency'
import type { PendingCheck } from '../store.ts'
import { MAX_COUNTS } from './take-batch.ts'

/** The number of needs in one script, at most: about 0.2 ms of the server. */
const MAX_NEEDS = MAX_COUNTS
/** The number of needs in flight, at most: about 10 ms of the server. */
const MAX_NEEDS_IN_FLIGHT = 4_000

/** A batch that waits for the replies to others. */
interface WaitingBatch {
  readonly batch: PendingCheck[]
  readonly size: number
}

type SendBatch = (batch: PendingCheck[], onEnd: (error?: unknown) => void) => void

/**
 * Collects concurrent checks into few calls of the script. With nothing in flight, a check is sent at
 * the end of its tick, so that batching costs no time. Otherwise it is sent with all others of its turn
 * of the event loop. While checks arrive one by one, each is sent at once.
 *
 * If tens of thousands of checks arrive at once, a part is sent, and the rest as replies arrive. The
 * deadline of a check begins when it is sent. When a batch has no reply, all that wait for it fail.
 * @param sendBatch sends a batch. It never throws. It calls `onEnd` once, with the error if there was no
 *   reply. It does so before it passes on the outcome, so that a caller that checks again at once does
 *   not wait for its own reply.
 */
export function createBatch(sendBatch: SendBatch): (pending: PendingCheck) => void {
  let inFlight = 0
  let needsInFlight = 0
  let waiting: WaitingBatch[] = []
  let lastSize = 0
  let isCollecting = false
  const { add } = createBatchQueue<PendingCheck>({
    handle: sendInParts,
    schedule(flush) {
      if (inFlight === 0) process.nextTick(flush)
      else setImmediate(flush)
    },
  })

  function sendInParts(all: PendingCheck[]) {
    isCollecting = false
    lastSize = all.length
    let total = 0
    for (const { check } of all) total += check.needs.length
    const parts = Math.ceil(total / MAX_NEEDS)
    let part = 1
    let first = 0
    let needsBefore = 0
    let size = 0
    for (let i = 0; i < all.length; i += 1) {
      const needs = all[i]?.check.needs.length ?? 0
      // The parts have one size: a small part at the end would cost as much as a full one.
      if (size > 0 && (size + needs > MAX_NEEDS || needsBefore >= (total * part) / parts)) {
        send(all.slice(first, i), size)
        part += 1
        first = i
        size = 0
      }
      size += needs
      needsBefore += needs
    }
    send(first === 0 ? all : all.slice(first), size)
  }

  function send(batch: PendingCheck[], size: number) {
    if (needsInFlight > 0 && needsInFlight + size > MAX_NEEDS_IN_FLIGHT) {
      waiting.push({ batch, size })
      return
    }
    inFlight += 1
    needsInFlight += size
    sendBatch(batch, (error) => {
      inFlight -= 1
      needsInFlight -= size
      if (waiting.length > 0) sendWaiting(error)
    })
  }

  function sendWaiting(error: unknown) {
    const batches = waiting
    waiting = []
    for (const { batch, size } of batches) {
      if (error === undefined) send(batch, size)
      else for (const { onError } of batch) onError(error)
    }
  }

  return (pending) => {
    if (inFlight === 0 && lastSize === 1 && !isCollecting) {
      send([pending], pending.check.needs.length)
      return
    }
    isCollecting = true
    add(pending)
  }
}
