import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { exists, hasCode, hasProc } from '../process/process-identity.ts'

const run = promisify(execFile)

/** The longest shutdown of a server whose launcher was killed. */
const PATIENCE_MS = 15_000

/**
 * Waits until no PostgreSQL runs on a data directory.
 *
 * @throws Error when one still runs after `patienceMs`, or when that cannot be excluded
 */
export async function untilUnused(dir: string, patienceMs = PATIENCE_MS): Promise<void> {
  const giveUpAt = performance.now() + patienceMs
  for (;;) {
    const user = await findUser(dir)
    if (!user) return
    if (performance.now() > giveUpAt) {
      throw new Error(
        `process ${user.pid} ${user.certain ? 'runs' : 'may run'} PostgreSQL on ${dir}: stop it, then start again`,
      )
    }
    await wait(100)
  }
}

/**
 * Lets PostgreSQL start on the directory of a server that was killed. An unrelated process can have
 * the pid of that server, and PostgreSQL would refuse to start. PostgreSQL accepts the pid of its parent,
 * and still checks the rest of the file: whether children of the killed server run.
 */
export async function releasePidFile(dir: string): Promise<void> {
  await untilUnused(dir)
  const content = await readPidFile(dir)
  if (content === undefined) return
  const [pid, ...rest] = content.split('\n')
  if (!exists(Number(pid))) return // PostgreSQL detects this.
  await writeFile(pidFileOf(dir), [process.pid, ...rest].join('\n'))
}

/** The process that uses the directory. Uncertain when the machine does not show what it runs. */
async function findUser(dir: string): Promise<{ pid: number; certain: boolean } | undefined> {
  const content = await readPidFile(dir)
  const pid = Number(content?.split('\n', 1)[0])
  // PostgreSQL itself names a file without a pid.
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid || !exists(pid)) return undefined
  const command = await commandOf(pid)
  if (command === 'ended' || (command !== undefined && !command.includes('postgres'))) {
    return undefined
  }
  const isHere = hasProc() ? await worksIn(pid, dir) : names(command, dir)
  return isHere === false ? undefined : { pid, certain: isHere === true }
}

/** Each process of PostgreSQL has its data directory as working directory. */
async function worksIn(pid: number, dir: string): Promise<boolean | undefined> {
  try {
    const [wanted, actual] = await Promise.all([stat(dir), stat(`/proc/${pid}/cwd`)])
    return wanted.dev === actual.dev && wanted.ino === actual.ino
  } catch {
    return undefined // The process belongs to another user.
  }
}

/** `ps` writes characters that the locale lacks in another form. */
function names(command: string | undefined, dir: string): boolean | undefined {
  return /^[ -~]+$/.test(dir) ? command?.includes(dir) : undefined
}

/** The command line; undefined when the machine does not show it. */
async function commandOf(pid: number): Promise<string | undefined> {
  try {
    if (hasProc()) return (await readFile(`/proc/${pid}/cmdline`, 'utf8')) || 'ended'
    const env = { ...process.env, LC_ALL: 'C' }
    return (await run('ps', ['-ww', '-p', String(pid), '-o', 'command='], { env })).stdout
  } catch {
    return exists(pid) ? undefined : 'ended'
  }
}

async function readPidFile(dir: string): Promise<string | undefined> {
  try {
    return await readFile(pidFileOf(dir), 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function pidFileOf(dir: string): string {
  return path.join(dir, 'postmaster.pid')
}
