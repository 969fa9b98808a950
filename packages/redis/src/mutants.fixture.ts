import { copyMutant, type Edit } from '@repo/testing'

/** Deadlines as they are usually made: a timer for each call, which fires before the sockets are read. */
const REAL_TIME = `{
  tickMs: 25,
  start(onLate: () => void) {
    const deadline = { isOpen: true, timer: setTimeout(late, deadlineMs) }
    function late() {
      deadline.isOpen = false
      onLate()
    }
    return deadline
  },
  end(deadline: any) {
    const wasOpen = deadline.isOpen
    deadline.isOpen = false
    clearTimeout(deadline.timer)
    return wasOpen
  },
}`

/** The mechanisms that are removed from the program, one at a time: the races must detect it. */
const MUTANTS = {
  'deadlines by real time': [['calls/calls.ts', 'createDeadlines({ ms: deadlineMs })', REAL_TIME]],
  'no wait for the first attempt': [
    ['calls/calls.ts', "client.status === 'ready' || !recovery.isRecovering()", 'true'],
  ],
  'no hold of a batch': [
    [
      'calls/write-batch.ts',
      "!isWritable && (client.status === 'ready' || isRecovering())",
      'false',
    ],
  ],
  'a held command of a late call is sent': [
    ['calls/write-batch.ts', 'i < firstNew && call && !held.has(call)', 'false'],
  ],
  'written commands are sent again': [
    ['connect.ts', 'maxRetriesPerRequest: 0', 'maxRetriesPerRequest: null'],
    ['connect.ts', 'autoResendUnfulfilledCommands: false', 'autoResendUnfulfilledCommands: true'],
  ],
} satisfies Record<string, Edit[]>

export type Mutant = keyof typeof MUTANTS

/** Copies the program without one of its mechanisms. */
export function makeMutant(mutant: Mutant) {
  return copyMutant(import.meta.dirname, mutant, MUTANTS[mutant])
}
