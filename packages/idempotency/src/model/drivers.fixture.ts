import { createHash } from 'node:crypto'
import path from 'node:path'
import { connectDatabase, type DatabaseConnection } from '@repo/database'
import { connectRedis } from '@repo/redis'
import { until } from '@repo/testing'
import { Redis } from 'ioredis'
import type * as memoryFile from '../memory/memory-store.ts'
import type * as onceFile from '../once.ts'
import type * as postgresFile from '../postgres/postgres-store.ts'
import type * as redisFile from '../redis/redis-store.ts'
import type { IdempotencyStore } from '../store.ts'
import type * as tieredFile from '../tiered/tiered-store.ts'
import type { Gate } from './gate.fixture.ts'
import type { Rules } from './reference.fixture.ts'

export type Driver = (typeof ALL_DRIVERS)[number]

export const ALL_DRIVERS = ['memory', 'redis', 'row', 'lock', 'tiered'] as const

/** `work`: how a request commits its effect. */
export const DRIVERS = {
  memory: { flush: 'nothing', exclusive: 'begin', fence: 'claim', work: ['plain'] },
  redis: { flush: 'all', exclusive: 'begin', fence: 'claim', work: ['plain'] },
  row: { flush: 'nothing', exclusive: 'begin', fence: 'claim', work: ['plain', 'transaction'] },
  lock: { flush: 'nothing', exclusive: 'transaction', fence: 'claim', work: ['transaction'] },
  tiered: { flush: 'claims', exclusive: 'begin', fence: 'record', work: ['transaction', 'plain'] },
} as const satisfies Record<Driver, Rules & { work: readonly ('plain' | 'transaction')[] }>

/** Longer than a history takes: only the clock of the lane ends leases. */
export const LEASE_MS = 3_600_000
export const TTL_MS = 2 ** 31 - 1
const CLOCK = 'model:now'

/** The functions of the program under test, which can be a mutant. */
export async function loadProgram(folder: string) {
  const once: typeof onceFile = await import(path.join(folder, 'once.ts'))
  const memory: typeof memoryFile = await import(path.join(folder, 'memory/memory-store.ts'))
  const redis: typeof redisFile = await import(path.join(folder, 'redis/redis-store.ts'))
  const postgres: typeof postgresFile = await import(
    path.join(folder, 'postgres/postgres-store.ts')
  )
  const tiered: typeof tieredFile = await import(path.join(folder, 'tiered/tiered-store.ts'))
  return { ...once, ...memory, ...redis, ...postgres, ...tiered }
}

export type Program = Awaited<ReturnType<typeof loadProgram>>

interface LaneOptions {
  name: string
  driver: Driver
  program: Program
  databaseUrl: string
  redisUrl: string
  /** The number of the database in Redis, so that a flush concerns one lane. */
  redisDatabase: number
}

/** The tables of the model, and the clock of PostgreSQL for connections of a lane. */
export async function prepareDatabase({ pool }: DatabaseConnection): Promise<void> {
  await pool.query(`
    create schema model;
    create table model.clock (lane text primary key, now_ms double precision not null);
    create table model.effect (history text not null, key int not null, client text not null);
    create index on model.effect (history);
    create function model.clock_timestamp() returns timestamptz language sql volatile as $$
      select coalesce(
        (select to_timestamp(now_ms / 1000) from model.clock
          where lane = current_setting('application_name')), pg_catalog.clock_timestamp()) $$`)
  const { rows } = await pool.query<{ name: string }>('select current_database() as name')
  await pool.query(`alter database ${rows[0]?.name} set search_path = model, pg_catalog, public`)
}

/** The stores of one sequence of histories, and their clock. */
export async function openLane(options: LaneOptions) {
  const { name, databaseUrl, redisUrl, redisDatabase, driver } = options
  const url = new URL(redisUrl)
  url.pathname = `/${redisDatabase}`
  const direct = new Redis(url.href)
  const database = connectDatabase({ url: databaseUrl, name: 'model', poolSize: 2, ...PATIENCE })
  let nowMs = Date.now()
  const memory = options.program.memoryStore({ now: () => nowMs })

  async function writeClock() {
    if (driver === 'redis' || driver === 'tiered') await direct.set(CLOCK, nowMs)
    if (driver === 'memory' || driver === 'redis') return
    const text = `insert into model.clock values ($1, $2) on conflict (lane) do update set now_ms = $2`
    await database.pool.query(text, [name, nowMs])
  }

  await writeClock()
  return {
    ...options,
    redisUrl: url.href,
    memory,
    query: (text: string, values: unknown[]) => database.pool.query(text, values),
    async advance(ms: number) {
      nowMs += ms
      await writeClock()
    },
    async flush() {
      await direct.flushdb()
      await writeClock()
    },
    async untilEnded(pids: readonly number[]) {
      const text = 'select count(*)::int as n from pg_stat_activity where pid = any($1)'
      await until(async () => (await database.pool.query(text, [pids])).rows[0].n === 0)
    },
    /** Ends connections as PostgreSQL does when their process has died, also those that wait for a lock. */
    async end(pids: readonly number[]) {
      await database.pool.query('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [
        pids,
      ])
      await this.untilEnded(pids)
    },
    async close() {
      direct.disconnect()
      await database.close()
    },
  }
}

export type Lane = Awaited<ReturnType<typeof openLane>>

const PATIENCE = { deadlineMs: 60_000, busyDeadlineMs: 60_000, connectTimeoutMs: 60_000 }

/** The store of one instance, whose commands pass the gate. */
export async function openStore(lane: Lane, gate: Gate) {
  const { driver, program, name } = lane
  const closing: (() => unknown)[] = []

  async function openRedis() {
    const connection = connectRedis({ url: lane.redisUrl, name, deadlineMs: 60_000 })
    await connection.ready(30_000)
    closing.push(() => connection.client.disconnect())
    return program.redisStore({ redis: gate.redis(connection, withClock) })
  }

  async function openDatabase() {
    const url = lane.databaseUrl
    const database = connectDatabase({ url, name, poolSize: 12, ...PATIENCE })
    closing.push(async () => {
      const ended = gate.endAll()
      void database.close().catch(() => undefined)
      await lane.end(ended)
    })
    return (await gate.postgres(database)).db
  }

  async function openDriver(): Promise<IdempotencyStore> {
    if (driver === 'redis') return openRedis()
    if (driver === 'memory') return gate.memory(lane.memory)
    if (driver !== 'tiered')
      return program.postgresStore({ db: await openDatabase(), claim: driver })
    return program.tieredStore({ redis: await openRedis(), db: await openDatabase() })
  }

  return {
    store: await openDriver(),
    /** Ends all connections, as the end of the process does. */
    end: async () => {
      for (const close of closing) await close()
    },
  }
}

/** Scripts read the time from a key. Redis itself expires keys later than any history ends. */
const shadows = new Map<string, string>()
const PREFIX = /* lua */ `
local server = redis
local redis = setmetatable({
  call = function(command, ...)
    if command ~= 'TIME' then return server.call(command, ...) end
    local now = tonumber(server.call('GET', '${CLOCK}'))
    return { math.floor(now / 1000), now % 1000 * 1000 }
  end,
}, { __index = server })
`
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

function withClock(client: Redis): Redis {
  const sendCommand: Redis['sendCommand'] = (command, ...rest) => {
    const { args } = command
    if (command.name === 'eval') {
      const text = String(args[0])
      args[0] = PREFIX + text
      shadows.set(sha1(text), sha1(args[0]))
    } else if (command.name === 'evalsha') {
      // An unknown script has a hash that the server does not have.
      args[0] = shadows.get(String(args[0])) ?? '0'.repeat(40)
    }
    return client.sendCommand(command, ...rest)
  }
  return Object.create(client, { sendCommand: { value: sendCommand } })
}
