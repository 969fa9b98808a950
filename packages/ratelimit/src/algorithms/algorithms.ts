import { countedMs, type Policy } from '../policy.ts'
import type { AlgorithmLua, Counter } from './algorithm.ts'
import { concurrencyLua, createHoldersCounter } from './concurrency.ts'
import { createFixedCounter, fixedLua } from './fixed.ts'
import { createSlidingCounter, slidingLua } from './sliding.ts'
import { createTokenBucketCounter, tokenBucketLua } from './token-bucket.ts'

/** The algorithms that charge units of a quota. */
const COUNTING = [slidingLua, tokenBucketLua, fixedLua]
const ALL = [...COUNTING, concurrencyLua]

/** Lua that runs the part of the algorithm `kind`. */
export function byKind(
  part: (algorithm: AlgorithmLua) => string,
  algorithms: readonly AlgorithmLua[] = ALL,
): string {
  const cases = algorithms.map((each) => `if kind == ${each.kind} then ${part(each)}`)
  return `${cases.join(' else')} end`
}

/** As `byKind`, but without `concurrency`. */
export function byCountingKind(part: (algorithm: AlgorithmLua) => string): string {
  return byKind(part, COUNTING)
}

/** Creates a count of the policy in memory. */
export function createCounter(policy: Policy): Counter {
  const { algorithm, windowMs } = policy
  if (algorithm === 'sliding') return createSlidingCounter(countedMs(policy))
  if (algorithm === 'token-bucket') return createTokenBucketCounter(windowMs)
  return algorithm === 'fixed' ? createFixedCounter(windowMs) : createHoldersCounter()
}
