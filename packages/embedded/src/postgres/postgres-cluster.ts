import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { hasCode } from '../process/process-identity.ts'
import { serverEnvironment } from '../process/server-environment.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { releasePidFile } from './postgres-pid-file.ts'
import { asUser, isRoot, NOBODY } from './unprivileged.ts'

const run = promisify(execFile)

export interface Cluster {
  /** Runs the server program as the owner of the data. */
  command(args: string[]): Promise<[file: string, ...args: string[]]>
  /** PGDATA. */
  dir: string
  password: string
}

/** Opens the cluster in `dataDir`, or creates one. An interrupted creation leaves no cluster. */
export async function openCluster(options: {
  dataDir: string
  password?: string | undefined
}): Promise<Cluster> {
  const { dataDir } = options
  const dir = path.join(dataDir, 'cluster')
  const passwordFile = path.join(dataDir, 'password')
  const bin = await postgresBinaries({ isRoot })
  const owner = await ownerOf(dir)
  if (owner === undefined) {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    if (isRoot) await chown(dataDir, NOBODY, NOBODY)
    await writeFile(passwordFile, options.password ?? randomBytes(16).toString('hex'), {
      mode: 0o600,
    })
    await createCluster(path.join(bin, 'initdb'), dir, passwordFile)
  } else {
    await releasePidFile(dir)
  }
  const password = await readFile(passwordFile, 'utf8')
  // PostgreSQL runs as the owner of the data, also when root starts it.
  const uid = owner || NOBODY
  return { command: (args) => asUser(uid, path.join(bin, 'postgres'), args), dir, password }
}

/** @throws Error when the folder exists, but this user cannot see it */
async function ownerOf(dir: string): Promise<number | undefined> {
  try {
    return (await stat(dir)).uid
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw new Error(
      `${dir} cannot be read (${String(error)}): another user, perhaps root, created it. Start as that user, or remove the folder`,
      { cause: error },
    )
  }
}

async function createCluster(initdb: string, dir: string, passwordFile: string) {
  const unfinished = `${dir}.new`
  await rm(unfinished, { recursive: true, force: true })
  const [file, ...args] = await asUser(NOBODY, initdb, [
    ...['-D', unfinished, '--username', 'postgres', '--pwfile', passwordFile],
    ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
    ...['--no-sync', '--no-instructions'],
  ])
  try {
    await run(file, args, { env: serverEnvironment() })
  } catch (error) {
    throw new Error(`PostgreSQL cannot create a database: ${reasonOf(error)}`, { cause: error })
  }
  await rename(unfinished, dir)
}

function reasonOf(error: unknown): string {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  const fault = output.split('\n').find((line) => /error|fatal|could not|cannot/i.test(line))
  const reason = fault ?? (output.trim() || String(error))
  if (!reason.includes('effective user ID')) return reason
  return `${reason}. Add the user to /etc/passwd, start as another user, or set DATABASE_URL`
}
