import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '@repo/embedded'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('../../pgbouncer.sh', import.meta.url))
const FOLDER = fileURLToPath(new URL('../../../../.threefold/pgbouncer', import.meta.url))

export interface PgBouncer {
  /** The URL of the target, through the pooler. */
  readonly url: string
  [Symbol.asyncDispose](): Promise<void>
}

export interface PgBouncerProgram {
  path: string
  /** Whether it can keep prepared statements: from 1.21 on. */
  canPrepare: boolean
}

/** A PgBouncer; undefined where none is available: the test is then skipped. */
export async function findPgBouncer(): Promise<PgBouncerProgram | undefined> {
  const { stdout } = await run('bash', [SCRIPT, FOLDER]).catch(() => ({ stdout: '' }))
  const path = stdout.trim()
  if (path === '') return undefined
  const { stdout: version } = await run(path, ['--version'])
  return { path, canPrepare: Number(/1\.(\d+)/.exec(version)?.[1]) >= 21 }
}

/**
 * Starts a PgBouncer in transaction mode in front of the server of `target`.
 * @param settings as lines of pgbouncer.ini
 * @param maxPreparedStatements 0 in every version that cannot prepare
 */
export async function startPgBouncer(
  { path, canPrepare }: PgBouncerProgram,
  options: { target: string; settings?: readonly string[]; maxPreparedStatements: number },
): Promise<PgBouncer> {
  const { target, settings = [], maxPreparedStatements } = options
  const url = new URL(target)
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'threefold-pgbouncer-'))
  const users = `"${decodeURIComponent(url.username)}" "${decodeURIComponent(url.password)}"\n`
  await chmod(dir, 0o755)
  await writeFile(`${dir}/users.txt`, users)
  const lines = [
    ...['[databases]', `* = host=${url.hostname} port=${url.port}`, '[pgbouncer]'],
    ...[
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
    ],
    ...[`auth_file = ${dir}/users.txt`, 'pool_mode = transaction', ...settings],
  ]
  if (canPrepare) lines.push(`max_prepared_statements = ${maxPreparedStatements}`)
  await writeFile(`${dir}/pgbouncer.ini`, `${lines.join('\n')}\n`)
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['--user', 'nobody'] : []
  const child = spawn(path, [...user, `${dir}/pgbouncer.ini`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await untilListening(child)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      if (child.exitCode === null && child.kill('SIGKILL')) await exited
      await rm(dir, { recursive: true })
    },
  }
}

async function untilListening(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let output = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.includes('process up')) resolve()
  })
  child.on('exit', () => reject(new Error(`PgBouncer did not start: ${output}`)))
  await promise
}
