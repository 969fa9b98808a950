import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { createGuard } from '@repo/embedded'

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const

const ends: (() => Promise<unknown>)[] = []
let isEnding = false

/** Ends a process when this program ends for any reason. */
export function endWithProgram<T extends ChildProcess>(
  child: T,
  signal: NodeJS.Signals = 'SIGKILL',
): T {
  if (child.pid === undefined) return child
  const guard = createGuard({ signal })
  guard.watch([child.pid])
  child.once('exit', () => guard.release())
  return child
}

/** Adds work that a signal starts before it ends this program. The latest work is first. */
export function whenInterrupted(end: () => Promise<unknown>): void {
  ends.unshift(end)
}

/** Waits for work, and for ever once a signal ends this program: the work fails then, because its parts end. */
export async function unlessInterrupted<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } finally {
    if (isEnding) await new Promise(() => undefined)
  }
}

/** A signal ends this program in order, and a second one at once. The guards end the remaining processes. */
export function handleSignals(): void {
  for (const name of SIGNALS) process.on(name, () => void interrupt(128 + constants.signals[name]))
}

async function interrupt(code: number): Promise<void> {
  if (isEnding) process.exit(code)
  isEnding = true
  process.stderr.write('stopping …\n')
  for (const end of ends) {
    await end().catch((error: unknown) => process.stderr.write(`stopping: ${String(error)}\n`))
  }
  process.exit(code)
}
