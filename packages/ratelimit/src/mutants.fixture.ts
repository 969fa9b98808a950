import { copyMutant, type Edit } from '@repo/testing'

/** What is taken out of the program, one at a time, to see that the attacks notice. */
const MUTANTS: Record<string, Edit[]> = {
  'a quarter of the ring forgotten': [
    ['algorithms/sliding.ts', '#value, 76 - 4 * steps', '#value, max(8, 60 - 4 * steps)'],
  ],
  'the clock of the client': [
    ['redis/take-script.ts', "local time = redis.call('TIME')", 'local time = { ARGV[2], 0 }'],
    [
      'redis/redis-store.ts',
      'batch.length === 1 ? formOf(only.check)',
      'false ? formOf(only.check)',
    ],
    [
      'redis/redis-store.ts',
      'const args = encode(batch, entries)',
      'const args = [...encode(batch, entries), String(Date.now() / 1000)]',
    ],
  ],
  'each dimension charged by itself': [
    ['redis/take-script.ts', 'local short = times == 1 and not blocks', 'local short = false'],
    ['redis/take-script.ts', '(admitted < fits and admitted or fits) * cost', 'fits * cost'],
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
  'a lease that is counted for the window alone': [
    ['policy.ts', 'return lease ? windowMs + lease.ms : windowMs', 'return windowMs'],
  ],
  'a lease without an end': [['memory/quota-blocks.ts', 'nowMs >= lease.untilMs', 'false']],
  'a lease that is not used up': [['memory/quota-blocks.ts', 'lease.units -= cost', '']],
  'a deadline that is a timer': [
    [
      'redis/command-sender.ts',
      'this.#deadline = deadlines.start(',
      "setTimeout(() => this.reject(new Error('late')), options.deadlineMs)\nthis.#deadline = deadlines.start(",
    ],
  ],
  'a call that does not wait for the next connection': [
    ['redis/command-sender.ts', 'if (!recovery.isRecovering()) {', 'if (deadlines) {'],
  ],
  'an error answer that tells nothing of other calls': [
    [
      'redis/connection.ts',
      'onErrorAnswer: (error) => gate.noteRefusal(error)',
      'onErrorAnswer() {}',
    ],
  ],
  // Also the names of the release before shapes.
  'counts without a shape in their name': [
    ['keys.ts', "key(`${policy.name}~${shapeOf(policy)}`, '')", "key(policy.name, '')"],
  ],
  'leases that nobody sees': [['algorithms/concurrency.ts', "call('ZCARD', KEYS[k + 1])", '0']],
}

/** Copies the program without one of its mechanisms; returns the copy's entry. */
export function makeMutant(mutant: string) {
  return copyMutant(import.meta.dirname, mutant, MUTANTS[mutant]!)
}
