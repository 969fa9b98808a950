import type { SlotKind } from '../slots/slots.ts'
import type { Waiting } from '../slots/waiting.ts'
import type { Target } from '../upstream/target.ts'
import type { PickContext, Upstream } from '../upstream/upstream.ts'

/** Chooses the instance of each attempt of one request, and takes its slot. */
export class Selection {
  kind: SlotKind = 'request'
  /** The queue of the upstream, if `take` found only instances without a free slot. */
  waiting: Waiting | undefined
  readonly upstream: Upstream
  readonly #context: PickContext | undefined
  readonly #tried: Target[] = []

  constructor(upstream: Upstream, context?: PickContext) {
    this.upstream = upstream
    this.#context = context
  }

  get attempts(): number {
    return this.#tried.length
  }

  /** Takes a slot of an instance that was not tried. The caller releases it. */
  take(): Target | undefined {
    // The budget of retries earns a share of each request that is sent at first.
    const isFirst = this.#tried.length === 0 && !this.waiting
    const first = this.upstream.pick(this.#context, isFirst ? undefined : this.#tried)
    const target = first && this.#takeSlot(first)
    this.waiting = target ? undefined : first?.slots.waiting
    if (target) this.#tried.push(target)
    return target
  }

  /** Takes a slot for a further attempt, if the retry budget has one. */
  takeAgain(): Target | undefined {
    const first = this.upstream.pick(this.#context, this.#tried)
    const target = first && this.#takeSlot(first)
    if (!target) return undefined
    if (this.upstream.allowRetry()) {
      this.#tried.push(target)
      return target
    }
    target.slots.release(this.kind)
    return undefined
  }

  /** Takes a slot of this instance, or a slot of another one that is as healthy. */
  #takeSlot(first: Target): Target | undefined {
    if (first.slots.take(this.kind)) return first
    const tried = [...this.#tried, first]
    let next = this.upstream.pick(this.#context, tried)
    while (next && next.state === first.state) {
      if (next.slots.take(this.kind)) return next
      tried.push(next)
      next = this.upstream.pick(this.#context, tried)
    }
    return undefined
  }
}
