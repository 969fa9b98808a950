import path from 'node:path'
import { copyMutant, type Edit } from '@repo/testing'

/** Mechanisms that are removed from the program, one at a time. The checker must notice each. */
const MUTANTS: Record<string, Edit[]> = {
  'no fence': [['cache/memory-level.ts', 'if (ticket.fence > version) return', '']],
  'no tombstone': [
    ['bus/invalidate-scripts.ts', "dropped[#dropped + 1] = string.sub(KEYS[i], 1, -2) .. 'l'", ''],
  ],
  'no lease': [
    [
      'bus/lease.ts',
      'Math.max(this.untilMs, Math.min(untilMs, limitMs))',
      'Number.POSITIVE_INFINITY',
    ],
    ['bus/lease.ts', 'this.untilMs = 0', ''],
  ],
  'no look at the log': [
    ['bus/log/tail.ts', 'while (head.n > cursor.last()) await catchUp(redis, head)', ''],
  ],
  'positions noted before they are applied': [
    ['bus/barrier/acks.ts', 'notedThrough = options.last()', 'notedThrough = options.last() + 10'],
  ],
  'no gap check': [['bus/bus.ts', 'onGap: missed,', 'onGap: () => undefined,']],
}

/** Copies the program without one of its mechanisms. */
export function makeMutant(mutant: string) {
  return copyMutant(path.join(import.meta.dirname, '..'), mutant, MUTANTS[mutant]!)
}
