import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { remember } from './processes.ts'
import { ROOT, STATE } from './state.ts'

const READY_WITHIN_MS = 60_000
/** Doubled each time, up to the longest, while a program dies young. */
const RESTART_DELAY_MS = 500
const LONGEST_DELAY_MS = 16_000
const YOUNG_MS = 10_000
/** Longer than an instance's own drain deadline. */
const STOP_WITHIN_MS = 28_000

export interface Program {
  name: string
  args: string[]
  env: Record<string, string>
  cwd?: string
  /** Answers 200 when it is ready. */
  readyUrl: string
}

export interface Supervised {
  readonly name: string
  readonly pid: number
  /** SIGTERM, then SIGKILL when it does not drain in time. */
  stop(): Promise<void>
}

/** A process that ended instead of becoming ready. */
export class BootError extends Error {
  override name = 'BootError'
}

/**
 * Runs a program until it is stopped: resolves when it is ready, and starts it again when it dies.
 * Its output goes to a file of its own under `.threefold/logs`.
 *
 * @throws BootError when its first start fails, with what it said on stderr
 */
export async function supervise(
  program: Program,
  onRestart: (died: { name: string; reason: string; pid: number }) => void,
): Promise<Supervised> {
  let stopping = false
  let delayMs = RESTART_DELAY_MS
  let child = launch(program)
  await untilReady(program, child)
  watch(child)

  function watch(current: ChildProcess) {
    const began = performance.now()
    current.once('exit', (code, killer) => {
      const young = performance.now() - began < YOUNG_MS
      delayMs = young ? Math.min(delayMs * 2, LONGEST_DELAY_MS) : RESTART_DELAY_MS
      void revive(killer ?? `exit code ${code}`)
    })
  }

  async function revive(reason: string) {
    if (stopping) return
    await wait(delayMs)
    if (stopping) return
    child = launch(program)
    watch(child)
    onRestart({ name: program.name, reason, pid: pidOf(child) })
  }

  return {
    name: program.name,
    get pid() {
      return pidOf(child)
    },
    async stop() {
      stopping = true
      await end(child)
    },
  }
}

/** Runs a program to its end. @throws BootError with the last line it wrote, unless it exits 0 */
export async function runOnce(program: Omit<Program, 'readyUrl'>): Promise<void> {
  const { name } = program
  const child = launch(program)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new BootError(lastWords(name))
}

function launch({ name, args, env, cwd = ROOT }: Omit<Program, 'readyUrl'>): ChildProcess {
  const log = openSync(logOf(name), 'a')
  const errors = openSync(errorsOf(name), 'w')
  // A group of its own: Ctrl-C must reach the launcher alone, which then stops all in order.
  const child = spawn(process.execPath, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', log, errors],
  })
  closeSync(log)
  closeSync(errors)
  remember(name, pidOf(child))
  return child
}

async function untilReady({ name, readyUrl }: Program, child: ChildProcess): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS
  while (performance.now() < giveUpAt) {
    if (child.exitCode !== null || child.signalCode !== null) throw new BootError(lastWords(name))
    const answer = await fetch(readyUrl, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    )
    if (answer?.ok) return
    await wait(50)
  }
  await end(child)
  throw new BootError(
    `${name} was not ready within ${READY_WITHIN_MS / 1_000} s; see ${logOf(name)}`,
  )
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  await exited
  clearTimeout(killer)
}

function lastWords(name: string): string {
  const said = readFileSync(errorsOf(name), 'utf8').trim()
  return said || `${name} ended without a word; see ${logOf(name)}`
}

function logOf(name: string) {
  return join(STATE, 'logs', `${name}.log`)
}

function errorsOf(name: string) {
  return join(STATE, 'logs', `${name}.err`)
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new BootError('the process could not be started')
  return child.pid
}
