import { setTimeout as wait } from 'node:timers/promises'
import { isReady } from './http-ready.ts'
import type { ProcessTable } from './process-table.ts'
import {
  BootError,
  endProgram,
  hasEnded,
  launchProgram,
  type Program,
  errorOutputOf,
} from './program.ts'

/** Far above the time that twelve instances need to start on two busy cores. */
const READY_WITHIN_MS = 180_000
/** Doubled each time, up to the longest, while a program ends soon after its start. */
const RESTART_DELAY_MS = 500
const LONGEST_DELAY_MS = 16_000
const YOUNG_MS = 10_000

export interface ServedProgram extends Program {
  /** Answers 200 when the program is ready. */
  readyUrl: string
}

export interface Supervised {
  readonly name: string
  readonly pid: number
  /** SIGTERM, then SIGKILL when it does not drain in time. */
  stop(): Promise<void>
}

/** `pid` is undefined when the program could not be started; another attempt follows. */
export type OnRestart = (event: { name: string; reason: string; pid: number | undefined }) => void

/**
 * Runs a program until it is stopped: resolves when it is ready, and starts it again when it ends.
 * Its output goes to a separate file in `.threefold/logs`.
 *
 * @throws BootError when its first start fails, with its output on stderr
 */
export async function supervise(
  program: ServedProgram,
  processes: ProcessTable,
  onRestart: OnRestart,
): Promise<Supervised> {
  const stopping = new AbortController()
  let delayMs = RESTART_DELAY_MS
  let child = launchProgram(program, processes)
  await untilReady()
  watch()

  async function untilReady(): Promise<void> {
    const giveUpAt = performance.now() + READY_WITHIN_MS
    while (performance.now() < giveUpAt) {
      if (hasEnded(child)) throw new BootError(errorOutputOf(program.name))
      if (await isReady(program.readyUrl)) return
      await wait(50)
    }
    await endProgram(child)
    throw new BootError(
      `${program.name} was not ready within ${READY_WITHIN_MS / 1_000} s: ${errorOutputOf(program.name)}`,
    )
  }

  function watch() {
    const began = performance.now()
    const onExit = () => {
      const young = performance.now() - began < YOUNG_MS
      delayMs = young ? Math.min(delayMs * 2, LONGEST_DELAY_MS) : RESTART_DELAY_MS
      void restart(child.signalCode ?? `exit code ${child.exitCode}`)
    }
    if (hasEnded(child)) onExit()
    else child.once('exit', onExit)
  }

  /** Never rejects. If the machine has no free process or descriptor, it tries again. */
  async function restart(reason: string): Promise<void> {
    while (!stopping.signal.aborted) {
      await wait(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      try {
        child = launchProgram(program, processes)
        watch()
        return onRestart({ name: program.name, reason, pid: child.pid })
      } catch (error) {
        onRestart({ name: program.name, reason: `${reason}; ${String(error)}`, pid: undefined })
        delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)
      }
    }
  }

  return {
    name: program.name,
    get pid() {
      return child.pid ?? 0
    },
    async stop() {
      stopping.abort()
      await endProgram(child)
    },
  }
}
