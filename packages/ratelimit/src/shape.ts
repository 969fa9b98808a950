import { countedMs, type Policy } from './policy.ts'

const LETTERS = { sliding: 's', 'token-bucket': 't', fixed: 'f', concurrency: 'c' } as const

/** The shape of all `concurrency` counts: each holder has its end, whatever the window is. */
export const CONCURRENCY = LETTERS.concurrency

/**
 * How a policy lays out its counts: the algorithm, and for how long a unit counts. It is a part of a
 * count's name, so two releases whose policies differ in it count apart, and neither resets the
 * counts of the other. `s60` is a sliding window of 60 s, `f1500ms` a fixed one of 1.5 s.
 */
export function shapeOf(policy: Policy): string {
  const letter = LETTERS[policy.algorithm]
  if (letter === CONCURRENCY) return letter
  const ms = countedMs(policy)
  return ms % 1_000 === 0 ? `${letter}${ms / 1_000}` : `${letter}${ms}ms`
}

/** A policy with counts of another shape; undefined for `concurrency` and for what is no shape. */
export function withShape(policy: Policy, shape: string): Policy | undefined {
  const [, letter, digits, unit] = /^([stf])(\d{1,10})(ms)?$/.exec(shape) ?? []
  if (digits === undefined) return undefined
  const windowMs = Number(digits) * (unit === undefined ? 1_000 : 1)
  const algorithm = letter === 's' ? 'sliding' : letter === 't' ? 'token-bucket' : 'fixed'
  return { ...policy, algorithm, windowMs, lease: undefined }
}
