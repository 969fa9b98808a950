import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** A process. The start time distinguishes it from a later process with the same pid. */
export interface ProcessIdentity {
  pid: number
  startedAt: string
}

/** Stands for a start time that this machine does not show. It matches every start time. */
const UNKNOWN = 'unknown'

/** The identity of a running process, or undefined when there is none with this pid. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = startTimeOf(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

/** Whether the process may still run: true unless it is certain that it does not. */
export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  const current = startTimeOf(pid)
  return (
    current === startedAt || current === UNKNOWN || (startedAt === UNKNOWN && current !== undefined)
  )
}

/** Whether it is certain that the process runs: the condition for a signal to it. */
export function isCertainlyRunning({ pid, startedAt }: ProcessIdentity): boolean {
  return startedAt !== UNKNOWN && startTimeOf(pid) === startedAt
}

/** In the unit of the system; undefined when no such process runs. A zombie does not run. */
function startTimeOf(pid: number): string | undefined {
  return hasProc() ? startTimeFromProc(pid) : startTimeFromPs(pid)
}

/** /proc is always present on Linux, except in some restricted environments. */
export function hasProc(): boolean {
  return existsSync('/proc/self/stat')
}

/** @returns the fields of /proc/<pid>/stat from the third (state) on; undefined without the process */
export function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the command in parentheses, may contain spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined
    throw error
  }
}

function startTimeFromProc(pid: number): string | undefined {
  // With the mount option hidepid, /proc does not show the processes of other users.
  const fields = statFields(pid)
  if (!fields) return exists(pid) ? UNKNOWN : undefined
  const [state] = fields
  // Field 22 of proc(5): clock ticks since the boot, which no change of the clock affects.
  return state === 'Z' || state === 'X' ? undefined : fields[19]
}

function startTimeFromPs(pid: number): string | undefined {
  if (!exists(pid)) return undefined
  try {
    // The format depends on locale and time zone.
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
    const args = ['-o', 'stat=,lstart=', '-p', String(pid)]
    const line = execFileSync('ps', args, { encoding: 'utf8', env }).trim()
    if (line.startsWith('Z')) return undefined
    return line.slice(line.indexOf(' ')).trim() || UNKNOWN
  } catch {
    return exists(pid) ? UNKNOWN : undefined
  }
}

/** Whether a process has this pid, also one of another user, also a zombie. */
export function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
