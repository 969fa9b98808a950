// An instance that takes payments with keys, and stops at a point that a test names.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { connectDatabase, type Database } from '@repo/database'
import { connectRedis } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import { fingerprintOf } from '../fingerprint.ts'
import type { createOnce } from '../once.ts'
import type { redisStore } from '../redis/redis-store.ts'
import type { IdempotencyStore } from '../store.ts'
import type { tieredStore } from '../tiered/tiered-store.ts'
import type { Once } from '../types.ts'
import { writeEffect } from './open.fixture.ts'
import type { postgresStore } from './postgres-store.ts'

export type Mode = 'row' | 'lock' | 'tiered'

export interface Opening {
  mode: Mode
  databaseUrl: string
  redisUrl: string
  leaseMs: number
  /** The folder of the program, which is a mutant or this package. */
  root: string
  /** The deadline of a call to PostgreSQL. */
  deadlineMs: number
}

/** `begun`: before the transaction. `claimed`: before its work. `uncommitted`: before COMMIT. `committed`: before the copy to Redis. */
export type Point = 'begun' | 'claimed' | 'uncommitted' | 'committed'

export interface Payment {
  key: string
  stopAt?: Point
}

/** `body` is undefined without a response that is final for the client. */
export interface Paid {
  outcome: string
  body?: string
}

/** The clients of one instance: each of them sends the request of one key until it has the response. */
export interface Crowd {
  keys: string[]
  clientsPerKey: number
  workMs?: number
}

/** By key. */
export type CrowdResult = Record<string, { fresh: number; bodies: string[] }>

const instance = process.env['INSTANCE_ID'] ?? ''
let once: Once
let stopAt: Point | undefined
let reached = Promise.withResolvers<void>()
let resumed = Promise.withResolvers<void>()

async function pass(point: Point): Promise<void> {
  if (stopAt !== point) return
  stopAt = undefined
  reached.resolve()
  await resumed.promise
}

/** A database whose transactions stop before and after their COMMIT. */
function withStops(db: Database): Database {
  const transaction: Database['transaction'] = async (run, config) => {
    const result = await db.transaction(async (tx) => {
      const ran = await run(tx)
      await pass('uncommitted')
      return ran
    }, config)
    await pass('committed')
    return result
  }
  return Object.assign(Object.create(db), { transaction })
}

interface Program {
  createOnce: typeof createOnce
  postgresStore: typeof postgresStore
  redisStore: typeof redisStore
  tieredStore: typeof tieredStore
}

async function load(root: string): Promise<Program> {
  const paths = ['once.ts', 'postgres/index.ts', 'redis/redis-store.ts', 'tiered/tiered-store.ts']
  return Object.assign({}, ...(await Promise.all(paths.map((path) => import(`${root}/${path}`)))))
}

async function openStore(
  { mode, redisUrl }: Opening,
  program: Program,
  db: Database,
): Promise<IdempotencyStore> {
  if (mode !== 'tiered') return program.postgresStore({ db, claim: mode })
  const redis = connectRedis({ url: redisUrl, name: instance, deadlineMs: 500 })
  await redis.ready(30_000)
  return program.tieredStore({ redis: program.redisStore({ redis }), db })
}

async function pay(key: string, workMs = 0): Promise<Paid> {
  const fingerprint = fingerprintOf({ method: 'POST', target: '/pay', body: Buffer.from(key) })
  try {
    const finished = await once.run({ scope: 'user', key, fingerprint }, async (attempt) => {
      await pass('begun')
      return attempt.transaction(async (tx) => {
        await pass('claimed')
        await writeEffect(tx, key, instance)
        await wait(workMs)
        const body = Buffer.from(`${instance}:${randomUUID()}`)
        return { status: 201, headers: [], body }
      })
    })
    if (!('response' in finished)) return { outcome: finished.outcome }
    return { outcome: finished.outcome, body: finished.response.body.toString() }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return { outcome: code }
  }
}

async function payUntilAnswered(key: string, workMs?: number): Promise<Paid> {
  for (;;) {
    const paid = await pay(key, workMs)
    if (paid.body !== undefined) return paid
    await wait(20 + Math.random() * 30)
  }
}

serveReplica({
  async open(opening: Opening) {
    const { databaseUrl: url, leaseMs, root, deadlineMs } = opening
    const program = await load(root)
    const { db } = connectDatabase({
      url,
      name: instance,
      poolSize: 12,
      connectTimeoutMs: deadlineMs,
      deadlineMs,
      busyDeadlineMs: 4 * deadlineMs,
    })
    const store = await openStore(opening, program, withStops(db))
    once = program.createOnce({ store, leaseMs })
  },
  /** Sends the request of a client once. */
  async pay({ key, stopAt: point }: Payment): Promise<Paid> {
    if (point) arm(point)
    return pay(key)
  },
  /** Sends the request of a client until it has the response. */
  payUntilAnswered({ key, stopAt: point }: Payment): Promise<Paid> {
    if (point) arm(point)
    return payUntilAnswered(key)
  },
  /** Waits until the payment is at its point. */
  reached: () => reached.promise,
  resume: () => resumed.resolve(),
  async payAll({ keys, clientsPerKey, workMs }: Crowd): Promise<CrowdResult> {
    const paid = keys.map(async (key) => {
      const clients = Array.from({ length: clientsPerKey }, () => payUntilAnswered(key, workMs))
      const each = await Promise.all(clients)
      const fresh = each.filter(({ outcome }) => outcome === 'fresh').length
      return [key, { fresh, bodies: [...new Set(each.map(({ body }) => body))] }]
    })
    return Object.fromEntries(await Promise.all(paid))
  },
})

function arm(point: Point): void {
  stopAt = point
  reached = Promise.withResolvers()
  resumed = Promise.withResolvers()
}
