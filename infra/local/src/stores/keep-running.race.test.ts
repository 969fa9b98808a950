import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  identify,
  type Postgres,
  type ServerProcess,
  startPostgres,
  startValkey,
} from '@repo/embedded'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keepRunning, type StoreEvent } from './keep-running.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 3)
const patience = { timeout: 30_000, interval: 10 }
const isAlive = (pid: number) => identify(pid) !== undefined

let dataDir = ''
let postgres: Postgres
let valkey: Awaited<ReturnType<typeof startValkey>>
let events: StoreEvent[] = []
let ending: AbortController
let loops: Promise<void>[] = []

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'threefold-keep-'))
  postgres = await startPostgres({ dataDir })
  valkey = await startValkey()
  events = []
  ending = new AbortController()
  const options = { signal: ending.signal, onEvent: (event: StoreEvent) => void events.push(event) }
  loops = [keepRunning('postgres', postgres, options), keepRunning('valkey', valkey, options)]
})
afterEach(async () => {
  ending.abort()
  await Promise.all([...loops, postgres.stop(), valkey.stop()])
  expect([postgres.pid, valkey.pid].filter(isAlive)).toEqual([])
  rmSync(dataDir, { recursive: true })
})

const restarts = (name: string) =>
  events.filter((event) => event.name === name && event.kind === 'restarted').length

const failures = () => events.filter(({ kind }) => kind === 'failed')

/** Sends SIGKILL as another process does, without a call of the server's methods. */
function kill(...servers: ServerProcess[]): number[] {
  const pids = servers.map(({ pid }) => pid)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  return pids
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.once('error', () => resolve(false)).once('close', () => socket.destroy())
    socket.once('connect', () => socket.end())
  })
}

test(`each of ${3 * ROUNDS} kills of PostgreSQL, of Valkey and of both at once causes one restart on the same port, and no process remains`, async () => {
  const killed: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    killed.push(...kill(postgres))
    await vi.waitFor(() => expect(restarts('postgres')).toBe(2 * round - 1), patience)
    killed.push(...kill(valkey))
    await vi.waitFor(() => expect(restarts('valkey')).toBe(2 * round - 1), patience)
    killed.push(...kill(postgres, valkey))
    await vi.waitFor(() => {
      expect([restarts('postgres'), restarts('valkey')]).toEqual([2 * round, 2 * round])
    }, patience)
  }
  expect(failures()).toEqual([])
  expect(killed.filter(isAlive)).toEqual([])
  expect([await accepts(postgres.port), await accepts(valkey.port)]).toEqual([true, true])
})

test('a restart that fails is reported with its reason and repeated until it succeeds, and the other store is not affected', async () => {
  const settings = join(dataDir, 'cluster/postgresql.conf')
  const valid = readFileSync(settings)
  appendFileSync(settings, '\nno_such_setting = 1\n')
  kill(postgres)
  await vi.waitFor(() => expect(failures().length).toBeGreaterThanOrEqual(2), patience)
  expect(failures()[0]).toMatchObject({ name: 'postgres', retryInMs: 500 })
  expect(failures()[1]).toMatchObject({ name: 'postgres', retryInMs: 1_000 })
  expect(JSON.stringify(failures()[0])).toContain('no_such_setting')
  kill(valkey)
  await vi.waitFor(() => expect(restarts('valkey')).toBe(1), patience)
  writeFileSync(settings, valid)
  await vi.waitFor(() => expect(restarts('postgres')).toBe(1), patience)
  expect(await accepts(postgres.port)).toBe(true)
})

test('a stop in the middle of a restart leaves no process', async () => {
  kill(postgres, valkey)
  await vi.waitFor(() => expect(postgres.running && valkey.running).toBe(false), patience)
  ending.abort()
  await Promise.all([postgres.stop(), valkey.stop(), ...loops])
  expect([postgres.pid, valkey.pid].filter(isAlive)).toEqual([])
  expect([await accepts(postgres.port), await accepts(valkey.port)]).toEqual([false, false])
})
