import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { postgresBinaries } from './postgres-binaries.ts'

const run = promisify(execFile)

/** `nobody`, on every Linux: PostgreSQL refuses to run as root, and a starter adds no user. */
const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

export interface Cluster {
  /** The program. */
  postgres: string
  /** PGDATA. */
  dir: string
  password: string
}

/** Finds the cluster in `dataDir`, or makes one: a creation that was interrupted leaves none. */
export async function openCluster(options: {
  dataDir: string
  password?: string | undefined
}): Promise<Cluster> {
  const { dataDir } = options
  const dir = path.join(dataDir, 'cluster')
  const passwordFile = path.join(dataDir, 'password')
  const bin = await postgresBinaries({ isRoot })
  if (existsSync(dir)) {
    await clearLeftover(dir)
  } else {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    if (isRoot) await chown(dataDir, NOBODY, NOBODY)
    await writeFile(passwordFile, options.password ?? randomBytes(16).toString('hex'), {
      mode: 0o600,
    })
    await createCluster(path.join(bin, 'initdb'), dir, passwordFile)
  }
  const password = await readFile(passwordFile, 'utf8')
  return { postgres: path.join(bin, 'postgres'), dir, password }
}

/**
 * A command line that runs a program as an unprivileged user where we are root. The capability
 * lets it reach data below a folder such as /root that only root can enter.
 */
export function asUser(program: string, args: string[]): [file: string, ...args: string[]] {
  if (!isRoot) return [program, ...args]
  const user = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups']
  const reach = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override']
  return ['setpriv', ...user, ...reach, program, ...args]
}

async function createCluster(initdb: string, dir: string, passwordFile: string) {
  const unfinished = `${dir}.new`
  await rm(unfinished, { recursive: true, force: true })
  const [file, ...args] = asUser(initdb, [
    ...['-D', unfinished, '--username', 'postgres', '--pwfile', passwordFile],
    ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
    ...['--no-sync', '--no-instructions'],
  ])
  await run(file, args)
  await rename(unfinished, dir)
}

/**
 * After a crash postmaster.pid is still there, and its number may by now be another process's, for
 * which PostgreSQL would refuse to start. A postmaster that is really ours is on its way out.
 */
async function clearLeftover(dir: string) {
  const file = path.join(dir, 'postmaster.pid')
  for (let tries = 0; existsSync(file); tries += 1) {
    const [pid] = (await readFile(file, 'utf8')).split('\n')
    if (!(await commandLine(pid ?? '')).includes(dir)) return rm(file, { force: true })
    if (tries === 50) throw new Error(`Process ${pid} already runs PostgreSQL on ${dir}`)
    await wait(100)
  }
}

async function commandLine(pid: string): Promise<string> {
  try {
    return (await run('ps', ['-p', pid, '-o', 'args='])).stdout
  } catch {
    return '' // ps fails when there is no such process
  }
}
