import { createDeadlines, type Deadline } from '@repo/concurrency'

/** The pause between two polls. It doubles from the first to the longest. */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 200

/** The result of a poll. */
export type Polled<Claimed, Ended> =
  | { readonly outcome: 'pending'; readonly retryAfterMs: number }
  | { readonly outcome: 'claimed'; readonly claimed: Claimed }
  | { readonly outcome: 'ended'; readonly ended: Ended }

interface Waiter<Claimed, Ended> {
  readonly resolve: (polled: Polled<Claimed, Ended>) => void
  readonly reject: (error: unknown) => void
  deadline: Deadline | undefined
}

/** The waiters of one claim in this process. They share one poll. */
interface Queue<Claimed, Ended> {
  readonly id: string
  readonly waiters: Set<Waiter<Claimed, Ended>>
  readonly poll: () => Promise<Polled<Claimed, Ended>>
  retryAfterMs: number
  pauseMs: number
  timer: NodeJS.Timeout | undefined
  isPolling: boolean
  isWoken: boolean
}

export interface WaitingOptions<Claimed> {
  /** The longest wait, in ms of awake time. */
  waitMs: number
  /** Undoes a claim that no request waits for any more. */
  onUnused: (claimed: Claimed) => void
}

export interface Waiting<Claimed, Ended> {
  /**
   * Waits until the attempt in progress has ended. One of the waiters receives the claim if the attempt
   * ended without a response; the others wait on.
   *
   * @param retryAfterMs of the poll before
   * @returns the last `pending` after `waitMs`
   * @throws the error of the poll
   */
  wait(
    id: string,
    retryAfterMs: number,
    poll: () => Promise<Polled<Claimed, Ended>>,
  ): Promise<Polled<Claimed, Ended>>
  /** Polls at once: an attempt of this process has ended. */
  wake(id: string): void
}

/** Waits for attempts in progress. All waiters of one claim in this process share one poll. */
export function createWaiting<Claimed, Ended>({
  waitMs,
  onUnused,
}: WaitingOptions<Claimed>): Waiting<Claimed, Ended> {
  type Result = Polled<Claimed, Ended>
  const deadlines = createDeadlines({ ms: waitMs })
  const queues = new Map<string, Queue<Claimed, Ended>>()

  function leave(queue: Queue<Claimed, Ended>, waiter: Waiter<Claimed, Ended>): void {
    queue.waiters.delete(waiter)
    if (waiter.deadline) deadlines.end(waiter.deadline)
    if (queue.waiters.size > 0) return
    clearTimeout(queue.timer)
    if (queues.get(queue.id) === queue) queues.delete(queue.id)
  }

  function schedule(queue: Queue<Claimed, Ended>): void {
    const pauseMs = queue.isWoken ? 0 : queue.pauseMs
    queue.isWoken = false
    queue.timer = setTimeout(() => void takeTurn(queue), pauseMs)
    queue.pauseMs = Math.min(queue.pauseMs * 2, LONGEST_PAUSE_MS)
  }

  async function takeTurn(queue: Queue<Claimed, Ended>): Promise<void> {
    queue.isPolling = true
    try {
      settle(queue, await queue.poll())
    } catch (error) {
      for (const waiter of queue.waiters) {
        leave(queue, waiter)
        waiter.reject(error)
      }
    }
    queue.isPolling = false
    if (queue.waiters.size > 0) schedule(queue)
  }

  function settle(queue: Queue<Claimed, Ended>, polled: Result): void {
    if (polled.outcome === 'pending') {
      queue.retryAfterMs = polled.retryAfterMs
      return
    }
    if (polled.outcome === 'claimed') {
      const [first] = queue.waiters
      if (!first) return onUnused(polled.claimed)
      leave(queue, first)
      first.resolve(polled)
      queue.pauseMs = FIRST_PAUSE_MS
      return
    }
    for (const waiter of queue.waiters) {
      leave(queue, waiter)
      waiter.resolve(polled)
    }
  }

  function join(queue: Queue<Claimed, Ended>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const waiter: Waiter<Claimed, Ended> = { resolve, reject, deadline: undefined }
      waiter.deadline = deadlines.start(() => {
        leave(queue, waiter)
        resolve({ outcome: 'pending', retryAfterMs: queue.retryAfterMs })
      })
      queue.waiters.add(waiter)
    })
  }

  return {
    wait(id, retryAfterMs, poll) {
      const existing = queues.get(id)
      if (existing) return join(existing)
      const queue: Queue<Claimed, Ended> = {
        id,
        waiters: new Set(),
        poll,
        retryAfterMs,
        pauseMs: FIRST_PAUSE_MS,
        timer: undefined,
        isPolling: false,
        isWoken: false,
      }
      queues.set(id, queue)
      const joined = join(queue)
      schedule(queue)
      return joined
    },
    wake(id) {
      const queue = queues.get(id)
      if (!queue) return
      queue.pauseMs = FIRST_PAUSE_MS
      queue.isWoken = true
      if (queue.isPolling) return
      clearTimeout(queue.timer)
      schedule(queue)
    },
  }
}
