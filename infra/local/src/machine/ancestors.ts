import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { hasProc, identify, isRunning, type ProcessIdentity, statFields } from '@repo/embedded'

const CHECK_EVERY_MS = 500
const RUNNERS = new Set([
  'npm',
  'npx',
  'pnpm',
  'pnpx',
  'corepack',
  'yarn',
  'yarnpkg',
  'bun',
  'bunx',
])
const SHELLS = new Set(['sh', 'bash', 'dash', 'zsh', 'ash'])

interface Ancestor extends ProcessIdentity {
  parent: number
  /** argv. */
  command: string[]
}

/**
 * Calls `onEnd` once when one of the package managers that started this process has ended. For example,
 * `npx` does not forward SIGTERM. A shell or another program that started them can end; a cluster in the
 * background continues.
 */
export function whenRunnerEnds(onEnd: (pid: number) => void): void {
  const runners = findRunners()
  if (runners.length === 0) return
  const timer = setInterval(() => {
    const ended = runners.find((runner) => !isRunning(runner))
    if (!ended) return
    clearInterval(timer)
    onEnd(ended.pid)
  }, CHECK_EVERY_MS)
  timer.unref()
}

/** The package managers above this process, with the shells between them. */
export function findRunners(pid = process.ppid): ProcessIdentity[] {
  const parent = readAncestor(pid)
  if (!parent) return []
  if (isRunner(parent.command)) return [parent, ...findRunners(parent.parent)]
  if (!SHELLS.has(nameOf(parent.command))) return []
  const above = findRunners(parent.parent)
  return above.length > 0 ? [parent, ...above] : []
}

/** npm sets a process title such as `npm exec pnpm start`; other package managers run as scripts. */
function isRunner(command: readonly string[]): boolean {
  const name = nameOf(command)
  if (name !== 'node') return RUNNERS.has(name)
  const script = basename(command[1] ?? '').replace(/(-cli)?\.[cm]?js$/, '')
  return RUNNERS.has(script)
}

/** A title begins with the name; a path may contain spaces. A login shell begins with `-`. */
function nameOf([program = '']: readonly string[]): string {
  const [first = ''] = program.split(' ', 1)
  return RUNNERS.has(basename(first)) ? basename(first) : basename(program).replace(/^-/, '')
}

function readAncestor(pid: number): Ancestor | undefined {
  if (pid <= 1) return undefined
  const identity = identify(pid)
  if (!identity) return undefined
  try {
    const [parent, command] = hasProc() ? readProc(pid) : readPs(pid)
    return { ...identity, parent, command }
  } catch {
    return undefined // It has ended, or it belongs to another user.
  }
}

function readProc(pid: number): [parent: number, command: string[]] {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
  return [Number(statFields(pid)?.[1]), command]
}

function readPs(pid: number): [parent: number, command: string[]] {
  const args = ['-ww', '-o', 'ppid=,command=', '-p', String(pid)]
  const [parent = '', ...command] = execFileSync('ps', args, { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
  return [Number(parent), command]
}
