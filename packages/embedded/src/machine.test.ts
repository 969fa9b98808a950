import { execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { installed, postgresBinaries } from './postgres/postgres-binaries.ts'
import { untilUnused } from './postgres/postgres-pid-file.ts'
import { startPostgres } from './postgres/postgres.ts'
import { isRoot, NOBODY } from './postgres/unprivileged.ts'
import { processTree } from './process/process-tree.ts'
import { createTemporaryDir } from './temporary-dir.ts'
import { startValkey } from './valkey/valkey.ts'

const run = promisify(execFile)
// Every user can enter it, unlike what mkdtemp makes.
const dir = mkdtempSync(join(tmpdir(), 'threefold-machine-'))
chmodSync(dir, 0o755)
afterAll(() => rmSync(dir, { recursive: true, force: true }))
afterEach(() => vi.unstubAllEnvs())

/** A PATH with these programs and no others: no `ps`. */
async function pathWith(...programs: string[]): Promise<string> {
  const bin = mkdtempSync(join(dir, 'bin-'))
  for (const program of programs) {
    const { stdout } = await run('sh', ['-c', `command -v ${program} || true`])
    if (stdout) symlinkSync(stdout.trim(), join(bin, program))
  }
  return bin
}

test.skipIf(process.platform !== 'linux')(
  'a machine without ps still shows the tree of a process',
  async () => {
    const child = spawn('sleep', ['60'])
    vi.stubEnv('PATH', '/nonexistent')
    expect(await processTree(process.pid)).toContain(child.pid)
    child.kill()
  },
)

test('the data of a running PostgreSQL is in use on a path that the locale cannot show, without ps, HOME and with settings of another PostgreSQL', async () => {
  vi.stubEnv('PATH', await pathWith('sh', 'setpriv', 'sleep', 'rm'))
  vi.stubEnv('LC_ALL', 'no_SUCH.locale')
  vi.stubEnv('LANG', 'C')
  vi.stubEnv('HOME', undefined)
  for (const [name, value] of Object.entries({
    PGDATA: '/none',
    PGPORT: '1',
    PGHOST: 'nowhere',
    PGOPTIONS: '-c x=y',
  })) {
    vi.stubEnv(name, value)
  }
  const dataDir = join(dir, 'dätä ☃ with spaces')
  const cluster = join(dataDir, 'cluster')
  const postgres = await startPostgres({ dataDir })
  try {
    // The last line is the server's state, which it changes itself.
    const pidFile = () =>
      readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n').slice(0, 6)
    const before = pidFile()
    await expect(untilUnused(cluster, 0)).rejects.toThrow(`process ${postgres.pid} runs PostgreSQL`)
    expect(pidFile()).toEqual(before)
    await postgres.kill()
    await untilUnused(cluster, 10_000)
    await postgres.restart()
  } finally {
    await postgres.stop()
  }
})

test('Valkey starts with NODE_OPTIONS that its runtime refuses', async () => {
  vi.stubEnv('NODE_OPTIONS', '--no-such-option')
  const valkey = await startValkey()
  await valkey.stop()
})

test.skipIf(!isRoot)(
  'programs that were installed with umask 077 become readable for the user that runs PostgreSQL',
  async () => {
    const native = join(dir, 'package/native')
    mkdirSync(dirname(native), { recursive: true })
    cpSync(installed(), native, { recursive: true, verbatimSymlinks: true })
    cpSync(join(installed(), '../package.json'), join(native, '../package.json'))
    for (const name of ['', ...globSync('**/*', { cwd: native })]) {
      chmodSync(join(native, name), 0o700)
    }
    const bin = await postgresBinaries({ isRoot, native, shared: dir })
    expect(bin.startsWith(native)).toBe(false)
    const asNobody = { uid: NOBODY, gid: NOBODY, cwd: '/' }
    const { stderr } = await run(join(bin, 'initdb'), ['-D', '/none', '--show'], asNobody)
    expect(stderr).toContain('share_path=')
    // A copy of an earlier version that is not readable is replaced.
    chmodSync(join(bin, '../share'), 0o700)
    expect(await postgresBinaries({ isRoot, native, shared: dir })).toBe(bin)
    await run('ls', [join(bin, '../share')], asNobody)
  },
)

test('a TMPDIR that does not exist is not the only place for temporary data', async () => {
  vi.stubEnv('TMPDIR', join(dir, 'no-such-folder'))
  rmSync(await createTemporaryDir('threefold-test-'), { recursive: true })
})
