/** Writes the time of each arrival when it is due, and signals the event loop of the instance. */
import { parentPort } from 'node:worker_threads'
import {
  type ArrivalsMessage,
  type ArrivalsPlan,
  nextGapMs,
  nowMs,
  RING_SIZE,
  SIGNALLED,
  STOPPED,
  WRITTEN,
} from './arrivals.ts'

const sleeping = new Int32Array(new SharedArrayBuffer(4))

function generate({ rate, startAtMs, ms, times, counters }: ArrivalsPlan) {
  const before = process.threadCpuUsage()
  const endAtMs = startAtMs + ms
  let count = 0
  let dueAtMs = startAtMs + nextGapMs(rate)
  while (dueAtMs < endAtMs && Atomics.load(counters, STOPPED) === 0) {
    const now = nowMs()
    if (dueAtMs > now) {
      Atomics.wait(sleeping, 0, 0, dueAtMs - now)
      continue
    }
    // The next ones too, where this thread ran late.
    while (dueAtMs <= now && dueAtMs < endAtMs) {
      times[count % RING_SIZE] = dueAtMs
      count += 1
      dueAtMs += nextGapMs(rate)
    }
    Atomics.store(counters, WRITTEN, count)
    if (Atomics.exchange(counters, SIGNALLED, 1) === 0) send({ kind: 'arrived' })
  }
  const { user, system } = process.threadCpuUsage(before)
  send({ kind: 'ended', cpuUs: user + system })
}

function send(message: ArrivalsMessage) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message)
}

parentPort?.on('message', generate)
