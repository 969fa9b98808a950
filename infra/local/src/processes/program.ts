import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, STATE } from '../state/state.ts'
import type { ProcessTable } from './process-table.ts'

/** Longer than an instance's own drain deadline. */
const STOP_WITHIN_MS = 28_000

export interface Program {
  name: string
  args: string[]
  env: Record<string, string>
  cwd?: string
}

/** A process that ended instead of becoming ready. */
export class BootError extends Error {
  override name = 'BootError'
}

/** Runs a program to its end. @throws BootError with the last line it wrote, unless it exits 0 */
export async function runOnce(program: Program, processes: ProcessTable): Promise<void> {
  const child = launchProgram(program, processes)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new BootError(errorOutputOf(program.name))
}

/** Starts a program of Node.js. @throws BootError when the system cannot start a process */
export function launchProgram(
  { name, args, env, cwd = ROOT }: Program,
  processes: Pick<ProcessTable, 'add' | 'remove'>,
): ChildProcess {
  const log = openSync(logOf(name), 'a')
  const errors = openSync(errorsOf(name), 'w')
  const child = spawn(process.execPath, args, {
    cwd,
    env,
    // A separate process group: Ctrl-C reaches only the launcher, which stops all processes in order.
    detached: true,
    stdio: ['ignore', log, errors],
  })
  closeSync(log)
  closeSync(errors)
  // Without a listener, an error would end the launcher.
  child.on('error', () => undefined)
  const { pid } = child
  if (pid === undefined) throw new BootError(`${name}: the system cannot start a process`)
  processes.add(name, pid)
  child.once('exit', () => processes.remove(name, pid))
  return child
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** SIGTERM, then SIGKILL when it does not drain in time. */
export async function endProgram(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  await exited
  clearTimeout(killer)
}

/** The text that a program wrote to stderr, or the name of its log. */
export function errorOutputOf(name: string): string {
  const text = readFileSync(errorsOf(name), 'utf8').trim()
  return text || `${name} ended without a message; see ${logOf(name)}`
}

function logOf(name: string) {
  return join(STATE, 'logs', `${name}.log`)
}

function errorsOf(name: string) {
  return join(STATE, 'logs', `${name}.err`)
}
