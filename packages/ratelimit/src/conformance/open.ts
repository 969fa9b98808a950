import { afterEach } from 'vitest'
import type { PolicyInput } from '../policy.ts'
import type { RateLimiter } from '../types.ts'

/**
 * Opens a limiter that shares nothing with earlier ones, on a clock that only `advance` moves.
 * `beside` opens another one that shares its counts, as an instance of another release has it: a
 * driver for one instance has none. `deadlineMs` is how long a take waits for the store, and `refuse`
 * makes the store refuse to count until its result is called: of a driver with a store elsewhere.
 */
export type OpenLimiter = (policies: PolicyInput[]) => Promise<{
  limiter: RateLimiter
  advance: (ms: number) => Promise<void>
  beside?: (policies: PolicyInput[]) => Promise<RateLimiter>
  deadlineMs?: number
  refuse?: () => Promise<() => Promise<unknown>>
}>

export const base = { windowMs: 60_000, by: 'ip' } as const
export const ip = '203.0.113.7'

/** `open` for the tests of a suite, which closes after each what it opened. */
export function opening(openLimiter: OpenLimiter) {
  const closing: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  return async function open(...policies: PolicyInput[]) {
    const opened = await openLimiter(policies)
    const { limiter } = opened
    closing.push(() => limiter.close())
    /** How many of n takes are allowed. */
    async function admitted(n: number, names: string[], of: Record<string, string> = { ip }) {
      let count = 0
      for (let i = 0; i < n; i += 1) {
        if ((await limiter.take(names, of)).outcome === 'allowed') count += 1
      }
      return count
    }
    return { ...opened, admitted }
  }
}

export type Open = ReturnType<typeof opening>
