import { copyMutant, type Edit } from '@repo/testing'

/** Programs with one mechanism removed. Each has to be caught by a test. */
const MUTANTS: Record<string, Edit[]> = {
  'a quarter of the ring forgotten': [
    ['algorithms/sliding.ts', '#value, 76 - 4 * steps', '#value, max(8, 60 - 4 * steps)'],
  ],
  'the clock of the instance': [
    ['redis/take-script.ts', "local time = redis.call('TIME')", 'local time = { ARGV[2], 0 }'],
    [
      'redis/redis-store.ts',
      'batch.length === 1 ? formOf(only.check)',
      'false ? formOf(only.check)',
    ],
    [
      'redis/redis-store.ts',
      'const args = encodeBatch(batch, built)',
      'const args = [...encodeBatch(batch, built), String(Date.now() / 1000)]',
    ],
  ],
  'each dimension charged by itself': [
    ['redis/take-script.ts', 'local short = times == 1 and not blocks', 'local short = false'],
    ['redis/take-script.ts', '(admitted < count and admitted or count) * cost', 'count * cost'],
  ],
  'a single take that needs only its first limit': [
    ['redis/take-script.ts', ".join(' and ')} then", '.at(0)} then'],
  ],
  'a count that is not written': [
    [
      'algorithms/sliding.ts',
      "call('SETRANGE', KEYS[k + 1], '5', packBytes('<I3I4', total, newest))",
      '',
    ],
  ],
  'a block that is counted for the window alone': [
    ['policy.ts', 'return lease ? windowMs + lease.ms : windowMs', 'return windowMs'],
  ],
  'a block without an end': [['memory/quota-blocks.ts', 'nowMs >= block.untilMs', 'false']],
  'a block that is never used up': [['memory/quota-blocks.ts', 'block.units -= cost', '']],
  'a deadline that is a timer': [
    [
      'redis/command-sender.ts',
      'this.#deadline = deadlines.start(',
      "setTimeout(() => this.reject(new Error('late')), deadlineMs)\nthis.#deadline = deadlines.start(",
    ],
  ],
  'a call that does not wait for the next connection': [
    ['redis/command-sender.ts', 'else if (recovery.isRecovering())', 'else if (lateRounds < 0)'],
  ],
  'error replies that start no probe': [
    [
      'redis/connection.ts',
      'onErrorReply: (error) => breaker.noteErrorReply(error)',
      'onErrorReply() {}',
    ],
  ],
  // Also the names of the release before shapes.
  'counts without a shape in their name': [
    ['keys.ts', "key(`${policy.name}~${shapeOf(policy)}`, '')", "key(policy.name, '')"],
  ],
  'holders that are not counted': [
    ['algorithms/concurrency.ts', "call('ZCARD', KEYS[k + 1])", '0'],
  ],
}

/** Copies the program without one of its mechanisms. Returns the entry of the copy. */
export function makeMutant(mutant: string) {
  return copyMutant(import.meta.dirname, mutant, MUTANTS[mutant]!)
}
