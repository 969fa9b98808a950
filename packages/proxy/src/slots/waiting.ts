import { createDeadlines, type Deadline } from '@repo/concurrency'

/** A request that waits for a slot. */
export interface Waiter {
  /** Takes a slot, leaves the queue and starts. Does nothing if it gets no slot. */
  tryStart(): void
  /** The longest wait has ended. The waiter is no longer in the queue. */
  giveUpWaiting(): void
}

/** The requests of one upstream that wait for a slot, in the order of their arrival. */
export class Waiting {
  readonly #deadlines: ReturnType<typeof createDeadlines>
  readonly #waiters = new Map<Waiter, Deadline>()

  /** @param waitMs the longest wait, in ms of awake time */
  constructor(waitMs: number) {
    this.#deadlines = createDeadlines({ ms: waitMs })
  }

  get size(): number {
    return this.#waiters.size
  }

  add(waiter: Waiter): void {
    const deadline = this.#deadlines.start(() => {
      this.#waiters.delete(waiter)
      waiter.giveUpWaiting()
    })
    this.#waiters.set(waiter, deadline)
  }

  /** Removes a waiter that starts, or whose client disconnected. */
  remove(waiter: Waiter): void {
    const deadline = this.#waiters.get(waiter)
    if (!deadline) return
    this.#deadlines.end(deadline)
    this.#waiters.delete(waiter)
  }

  /** Starts the first waiter, if it gets a slot. */
  wake(): void {
    if (this.#waiters.size === 0) return
    const [first] = this.#waiters.keys()
    first?.tryStart()
  }

  /** Starts waiters in their order, until one of them gets no slot. */
  wakeAll(): void {
    for (const waiter of this.#waiters.keys()) {
      waiter.tryStart()
      if (this.#waiters.has(waiter)) return
    }
  }
}
