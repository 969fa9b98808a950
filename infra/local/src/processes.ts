import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { signal } from './process-tree.ts'
import { readState, STATE, writeState } from './state.ts'

const NAME = 'processes.json'
const FILE = join(STATE, NAME)
const GRACE_MS = 3_000

/** A process that a cluster started. The start time tells it from a later one with the same pid. */
interface Known {
  name: string
  pid: number
  startedAt: string
}

let known: Known[] = []

/** Notes a process of ours, so that the next start can end it if this launcher is killed. */
export function remember(name: string, pid: number): void {
  const startedAt = startTimeOf(pid)
  if (startedAt === undefined) return
  known = [...known.filter((other) => other.name !== name), { name, pid, startedAt }]
  writeState(FILE, known)
}

/** The launcher that runs a cluster, if one does, by pid and start time. */
export function runningLauncher(state = STATE): number | undefined {
  const launcher = readKnown(join(state, NAME)).find(({ name }) => name === 'launcher')
  return launcher && isSame(launcher) ? launcher.pid : undefined
}

/** Ends what a killed launcher left behind: by pid and start time, never by name. */
export async function endOrphans(): Promise<string[]> {
  const orphans = readKnown().filter(isSame)
  await end(orphans)
  return orphans.map(({ name }) => name)
}

/** Ends what still runs, such as instances that were starting when Ctrl-C came. */
export async function endRemaining(): Promise<void> {
  await end(known.filter((each) => each.pid !== process.pid && isSame(each)))
}

async function end(processes: readonly Known[]) {
  for (const { pid } of processes) signal([pid], 'SIGTERM')
  const giveUpAt = performance.now() + GRACE_MS
  while (processes.some(isSame) && performance.now() < giveUpAt) await wait(50)
  for (const { pid } of processes.filter(isSame)) signal([pid], 'SIGKILL')
  known = []
  writeState(FILE, known)
}

function readKnown(file = FILE): Known[] {
  const list = readState(file)
  return Array.isArray(list) ? list.filter(isKnown) : []
}

function isKnown(value: unknown): value is Known {
  return typeof value === 'object' && value !== null && 'pid' in value && 'startedAt' in value
}

function isSame({ pid, startedAt }: Known): boolean {
  return startTimeOf(pid) === startedAt
}

/** When a process started, in whatever unit the system has; undefined when it is gone. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
      return text.trim() || undefined
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command in parentheses may hold spaces; the fields after it are 3 (state), 4, …, 22 (start).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
