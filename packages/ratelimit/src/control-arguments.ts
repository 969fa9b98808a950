import { RateLimitError } from './errors.ts'
import { anInteger, isObject, readArgument, requireValid, textOf } from './validation.ts'

/** About a year. */
const MAX_BLOCK_MS = 31_622_400_000

/** @throws RateLimitError `bad-duration` */
export function checkDuration(forMs: number): void {
  if (typeof forMs === 'number' && forMs >= 1 && forMs <= MAX_BLOCK_MS) return
  const message = `a block is 1 to ${MAX_BLOCK_MS} ms, not ${textOf(forMs)}`
  throw new RateLimitError('bad-duration', message)
}

/** The options of a report with their defaults. @throws RateLimitError `bad-argument` */
export function reportOptions(options: { minutes?: number; top?: number }) {
  requireValid('bad-argument', options, { name: 'options', must: 'an object', isValid: isObject })
  const { minutes = 5, top = 20 } = readArgument('options', () => ({ ...options }))
  requireValid('bad-argument', minutes, anInteger('minutes', 1, 60))
  requireValid('bad-argument', top, anInteger('top', 1, 1_000))
  return { minutes, top }
}
