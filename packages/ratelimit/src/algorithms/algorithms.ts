import type { AlgorithmLua } from './algorithm.ts'
import { concurrencyLua } from './concurrency.ts'
import { fixedLua } from './fixed.ts'
import { slidingLua } from './sliding-lua.ts'
import { tokenBucketLua } from './token-bucket.ts'

/** The algorithms that charge units of a quota. */
const COUNTING = [slidingLua, tokenBucketLua, fixedLua]
const ALL = [...COUNTING, concurrencyLua]

/** Lua that runs the text that is made of the algorithm `kind`. */
export function byKind(
  part: (algorithm: AlgorithmLua) => string,
  algorithms: readonly AlgorithmLua[] = ALL,
): string {
  const cases = algorithms.map((it) => `if kind == ${it.kind} then ${part(it)}`)
  return `${cases.join(' else')} end`
}

/** As `byKind`, without `concurrency`. */
export function byCountingKind(part: (algorithm: AlgorithmLua) => string): string {
  return byKind(part, COUNTING)
}
