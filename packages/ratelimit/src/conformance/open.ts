import { afterEach } from 'vitest'
import type { PolicyInput } from '../policy.ts'
import type { RateLimiter } from '../types.ts'

/**
 * Opens a limiter that shares no state with earlier ones, on a clock that only `advance` moves. A driver
 * for several instances has `beside`, which opens another limiter with the same counts. A driver with a
 * remote store has `deadlineMs`, the longest wait of a take, and `refuse`. It makes the store refuse to
 * count until the returned function is called.
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

/** A part that the driver of a shared store must have. */
export function required<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`openLimiter of a shared store must return ${name}`)
  return part
}

/** Returns `open` for the tests of a suite. After each test it closes the opened limiters. */
export function opening(openLimiter: OpenLimiter) {
  const closing: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  return async function open(...policies: PolicyInput[]) {
    const opened = await openLimiter(policies)
    const { limiter } = opened
    closing.push(() => limiter.close())
    /** The number of n takes that are allowed. */
    async function admitted(n: number, names: string[], subject: Record<string, string> = { ip }) {
      let count = 0
      for (let i = 0; i < n; i += 1) {
        if ((await limiter.take(names, subject)).outcome === 'allowed') count += 1
      }
      return count
    }
    return { ...opened, admitted }
  }
}

export type Open = ReturnType<typeof opening>
