import { betterOfTwo, usableTargets } from './choose-target.ts'
import type { Target } from './target.ts'

/** The targets of one group of an upstream, as a set that changes. */
export class TargetGroup {
  readonly name: string
  readonly weight: number
  readonly #panicThreshold: number
  #targets: readonly Target[] = []
  /** The targets that can get a request, until a state changes. */
  #usable: readonly Target[] = []
  #usableUntilMs = 0
  #turn = 0

  constructor(name: string, weight: number, panicThreshold: number) {
    this.name = name
    this.weight = weight
    this.#panicThreshold = panicThreshold
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  set targets(targets: readonly Target[]) {
    this.#targets = targets
    this.#usableUntilMs = 0
  }

  /** The state of a target changed. */
  noteChange(): void {
    this.#usableUntilMs = 0
  }

  /** Whether any target is healthy. */
  get isHealthy(): boolean {
    return this.#targets.some(({ state }) => state === 'healthy')
  }

  /** Returns the target for an attempt, not one of `tried`. */
  pick(tried: readonly Target[] | undefined): Target | undefined {
    const nowMs = performance.now()
    this.#turn += 1
    if (tried) {
      const rest = this.#targets.filter((each) => !tried.includes(each))
      return betterOfTwo(usableTargets(rest, this.#panicThreshold), this.#turn, nowMs)
    }
    if (nowMs >= this.#usableUntilMs) this.#refresh(nowMs)
    return betterOfTwo(this.#usable, this.#turn, nowMs)
  }

  /** Ejections end by themselves, so the list is valid until the first of them ends. */
  #refresh(nowMs: number): void {
    this.#usable = usableTargets(this.#targets, this.#panicThreshold)
    this.#usableUntilMs = Infinity
    for (const { ejectedUntilMs } of this.#targets) {
      if (ejectedUntilMs > nowMs) {
        this.#usableUntilMs = Math.min(this.#usableUntilMs, ejectedUntilMs)
      }
    }
  }
}
