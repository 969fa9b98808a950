import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identify, processTree, signal } from '@repo/embedded'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FixtureReport } from './launcher.fixture.ts'

const program = (name: string) => join(import.meta.dirname, '..', name)
const isAlive = (pid: number) => identify(pid) !== undefined
const patience = { timeout: 20_000, interval: 20 }

let state = ''
const started: ChildProcess[] = []

beforeEach(() => {
  // A space and characters that the locale of `LC_ALL=C` does not have.
  state = mkdtempSync(join(tmpdir(), 'threefold ünï ☃ '))
})
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  await run('stop.ts')
  rmSync(state, { recursive: true, force: true })
})

function start(name: string, args: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program(name), ...args], {
    env: { ...process.env, THREEFOLD_STATE: state, LC_ALL: 'C', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  return child
}

async function run(name: string, args: string[] = [], env: Record<string, string> = {}) {
  const child = start(name, args, env)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  }
  const [code] = await once(child, 'close')
  return { code, output }
}

async function startLauncher() {
  const launcher = start('processes/launcher.fixture.ts')
  const [line] = await once(launcher.stdout, 'data')
  const { pids }: FixtureReport = JSON.parse(String(line))
  return { launcher, pids }
}

/** The guards are those children of the launcher that are not its servers. */
async function killGuards(launcher: ChildProcess, pids: Record<string, number>) {
  const { guard: _, ...others } = pids
  const served = new Set([
    launcher.pid,
    ...(await Promise.all(Object.values(others).map(processTree))).flat(),
  ])
  const guards = (await processTree(launcher.pid ?? 0)).filter((pid) => !served.has(pid))
  expect(guards).toHaveLength(2)
  signal(guards, 'SIGKILL')
}

/** Every file that belongs to the owner, with its content. */
function snapshot() {
  const files = ['processes.json', 'cluster.json', 'postgres/cluster/postmaster.pid']
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(state, file), 'utf8')]))
}

test('a refused second start changes no file of the running cluster, also with --fresh on other ports and without the lock file', async () => {
  const { launcher, pids } = await startLauncher()
  const before = snapshot()
  const fresh = ['--fresh', '--port', '18080', '--ports', '14000']
  for (const args of [[], fresh, fresh]) {
    const second = await run('main.ts', args)
    expect(second.code).toBe(1)
    expect(second.output).toContain(`a cluster runs here already (process ${launcher.pid})`)
    expect(second.output).toContain('at http://localhost:1: stop it with `npx -y pnpm@12 stop`')
    expect(snapshot()).toEqual(before)
    if (args === fresh) rmSync(join(state, 'launcher.lock'), { force: true })
  }
  expect(Object.values(pids).every(isAlive)).toBe(true)
})

test('--fresh does not delete the data of a PostgreSQL that runs without a launcher', async () => {
  const { launcher, pids } = await startLauncher()
  await killGuards(launcher, pids)
  launcher.kill('SIGKILL')
  await once(launcher, 'close')
  // The record of the processes is lost, so that nothing can end them.
  rmSync(join(state, 'processes.json'))
  const second = await run('main.ts', ['--fresh', '--port', '18080', '--ports', '14000'])
  expect(second.code).toBe(1)
  expect(second.output).toContain(`process ${pids['postgres']} runs PostgreSQL on`)
  expect(existsSync(join(state, 'postgres/cluster/PG_VERSION'))).toBe(true)
  for (const pid of Object.values(pids)) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
})

test('one of 8 concurrent starts after a killed launcher takes the state', async () => {
  const { launcher } = await startLauncher()
  launcher.kill('SIGKILL')
  const starts = Array.from({ length: 8 }, () => start('processes/launcher.fixture.ts'))
  const outcomes = await Promise.all(
    starts.map((child) =>
      Promise.race([
        once(child.stdout, 'data').then(() => 'runs'),
        once(child, 'close').then(() => 'refused'),
      ]),
    ),
  )
  expect(outcomes.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'refused'), 'runs'])
})

test('instances drain layer by layer, then PostgreSQL ends, when the launcher is killed', async () => {
  const { launcher, pids } = await startLauncher()
  launcher.kill('SIGKILL')
  await vi.waitFor(() => expect(Object.values(pids).filter(isAlive)).toEqual([]), patience)
  expect(readFileSync(join(state, 'order.log'), 'utf8')).toBe('edge\ngateway-1\n')
})

test('`stop` ends the processes of a killed launcher without guards, and reports when no cluster runs', async () => {
  const { launcher, pids } = await startLauncher()
  await killGuards(launcher, pids)
  launcher.kill('SIGKILL')
  await once(launcher, 'close')
  expect(isAlive(pids['postgres'] ?? 0)).toBe(true)
  const first = await run('stop.ts')
  expect(first).toEqual({
    code: 0,
    output: 'Stopped: its launcher was killed; ended 3 processes that were left.\n',
  })
  expect(Object.values(pids).filter(isAlive)).toEqual([])
  expect(existsSync(join(state, 'cluster.json'))).toBe(false)
  const second = await run('stop.ts')
  expect(second).toEqual({ code: 0, output: `No cluster runs here (${state}).\n` })
})
