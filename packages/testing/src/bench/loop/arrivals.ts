import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Arrivals that wait for the event loop, at most. */
export const RING_SIZE = 1 << 16

/** Indices of the shared counters. */
export const WRITTEN = 0
export const SIGNALLED = 1
export const STOPPED = 2

export interface ArrivalsPlan {
  /** Arrivals per second. */
  rate: number
  startAtMs: number
  ms: number
  /** Intended arrival times, as a ring; `counters` contain the number of times written. */
  times: Float64Array<SharedArrayBuffer>
  counters: Int32Array<SharedArrayBuffer>
}

export type ArrivalsMessage = { kind: 'arrived' } | { kind: 'ended'; cpuUs: number }

/** Milliseconds on the clock that all threads and processes of a machine share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The gap to the next arrival of a Poisson process, in ms: exponential, independent of the past. */
export function nextGapMs(rate: number, random: () => number = Math.random): number {
  return (-Math.log(1 - random()) * 1_000) / rate
}

/**
 * Independent arrivals for an open loop. A separate thread waits for each arrival time, because a
 * timer of the event loop would gather the arrivals of a millisecond. The event loop receives one
 * signal for the arrivals that are due when it turns, like a server that reads several sockets.
 */
export async function openArrivals() {
  const thread = new Worker(new URL('arrivals-thread.ts', import.meta.url))
  await once(thread, 'online')

  /**
   * Calls `onArrival` with each intended arrival time, for `ms` or until `stop`. `ended` resolves
   * with the CPU time of the thread that generated the arrivals, and the number of arrivals that the
   * event loop was too late for.
   */
  function run(rate: number, ms: number, onArrival: (atMs: number) => void) {
    const times = new Float64Array(new SharedArrayBuffer(RING_SIZE * 8))
    const counters = new Int32Array(new SharedArrayBuffer(3 * 4))
    const ended = Promise.withResolvers<{ cpuUs: number; missed: number }>()
    let taken = 0
    let missed = 0
    let isStopped = false
    function take() {
      Atomics.store(counters, SIGNALLED, 0)
      const written = Atomics.load(counters, WRITTEN)
      // The event loop is too far behind: the oldest arrival times were overwritten.
      missed += Math.max(0, written - RING_SIZE - taken)
      taken = Math.max(taken, written - RING_SIZE)
      while (taken < written) {
        if (isStopped) return
        const atMs = times[taken % RING_SIZE] ?? 0
        taken += 1
        onArrival(atMs)
      }
    }
    function stop() {
      isStopped = true
      Atomics.store(counters, STOPPED, 1)
    }
    function receive(message: ArrivalsMessage) {
      take()
      if (message.kind === 'ended') ended.resolve({ cpuUs: message.cpuUs, missed })
    }
    thread.on('message', receive).once('error', ended.reject)
    const plan: ArrivalsPlan = { rate, ms, startAtMs: nowMs(), times, counters }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    thread.postMessage(plan)
    return {
      ended: ended.promise.finally(() => thread.off('message', receive).off('error', ended.reject)),
      stop,
    }
  }

  return { run, close: () => thread.terminate() }
}
