import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { connectDatabase, migrateDatabase } from '@repo/database'
import { describe, expect, type Replica, test as base } from '@repo/testing'
import { Redis } from 'ioredis'
import { randomOf } from './history.fixture.ts'
import type { Opening, Paid } from './payer.fixture.ts'

const program = new URL('payer.fixture.ts', import.meta.url)
/** `pnpm race` sets it: 200 rounds are 100 kills. */
const rounds = Number(process.env['RACE_ROUNDS'] ?? 0)
const seed = Number(process.env['RACE_SEED'] ?? (rounds > 0 ? Date.now() % 1_000_000 : 1))
const kills = rounds > 0 ? Math.ceil(rounds / 2) : 10
const faultCount = rounds > 0 ? kills : 6
const LEASE_MS = 1_000
/** A start of a process takes seconds on a busy machine. */
const timeout = 120_000 + 12_000 * kills
/** Keys in use at a time, and the clients of each. */
const KEYS_AT_ONCE = 6
const CLIENTS = 3

type Fault = 'kill' | 'freeze' | 'flush'

const test = base.extend('pay', async ({ databaseUrl, ownValkey, replicas }, { onCleanup }) => {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'judge', poolSize: 2 })
  const direct = new Redis(ownValkey.url)
  onCleanup(async () => {
    direct.disconnect()
    await database.close()
  })
  await database.pool.query(`create schema if not exists model;
    drop table if exists model.payment;
    create table model.payment (key text not null, id text not null)`)
  const random = randomOf(seed)

  return async (faults: readonly Fault[], isTogether = true) => {
    const opening: Opening = {
      databaseUrl,
      redisUrl: ownValkey.url,
      leaseMs: LEASE_MS,
      isTogether,
    }
    const start = async (): Promise<Replica> => {
      const [replica] = await replicas(1, { program })
      if (!replica) throw new Error('no process has started')
      await replica.call('open', opening)
      return replica
    }
    const three = await Promise.all([start(), start(), start()])
    const responses = new Map<string, string[]>()
    const run = randomUUID()
    const over = new AbortController()

    async function client(key: string): Promise<void> {
      for (;;) {
        // A call on a process that ended fails, as a lost connection does.
        const replica = three[Math.floor(random() * three.length)]
        const [end] = await Promise.allSettled([replica?.call<Paid>('pay', key)])
        const bytes = end.status === 'fulfilled' ? end.value?.bytes : undefined
        if (bytes !== undefined) return void responses.get(key)?.push(bytes)
        await pause(5 + 20 * random())
      }
    }

    async function clients(lane: number): Promise<void> {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const key = `${run}-${lane}-${n}`
        responses.set(key, [])
        await Promise.all(Array.from({ length: CLIENTS }, () => client(key)))
      }
    }

    async function injure(fault: Fault): Promise<void> {
      await pause(100 * random())
      const chosen = Math.floor(random() * three.length)
      if (fault === 'flush') await direct.flushall()
      else if (fault === 'kill') {
        await three[chosen]?.kill()
        three[chosen] = await start()
      } else {
        three[chosen]?.stop()
        await pause(LEASE_MS * (1 + random()))
        three[chosen]?.continue()
      }
    }

    const paying = Array.from({ length: KEYS_AT_ONCE }, (_, lane) => clients(lane))
    for (const fault of faults) await injure(fault)
    over.abort()
    await Promise.all(paying)
    const { rows } = await database.pool.query<{ key: string; ids: string[] }>(
      'select key, array_agg(id) as ids from model.payment where starts_with(key, $1) group by key',
      [run],
    )
    const ids = new Map(rows.map((row) => [row.key, row.ids]))
    const wrong = [...responses].filter(
      ([key, bytes]) =>
        ids.get(key)?.length !== 1 ||
        bytes.some((id) => id !== bytes[0]) ||
        bytes[0] !== ids.get(key)?.[0],
    )
    const verdict = { keys: responses.size, rows: rows.length, wrong: wrong.length }
    process.stdout.write(`${faults.length} faults (seed ${seed}): ${JSON.stringify(verdict)}\n`)
    return { ...verdict, wrong, responses: [...responses.values()].flat().length }
  }
})

describe('three processes with the tiered store', () => {
  test(
    `after ${kills} kills at random moments, each key has one payment, and its clients have the same bytes (seed ${seed})`,
    { timeout },
    async ({ pay }) => {
      const { keys, rows, wrong, responses } = await pay(
        Array.from({ length: kills }, () => 'kill'),
      )
      expect(wrong).toEqual([])
      expect(rows).toBe(keys)
      expect(responses).toBe(keys * CLIENTS)
      expect(keys).toBeGreaterThan(kills)
    },
  )

  test(
    `after ${faultCount} kills, freezes beyond the lease and losses of Redis, each key has one payment (seed ${seed})`,
    { timeout },
    async ({ pay }) => {
      const kinds = ['freeze', 'flush', 'kill'] as const
      const faults = Array.from({ length: faultCount }, (_, i) => kinds[i % kinds.length] ?? 'kill')
      const { keys, rows, wrong } = await pay(faults)
      expect(wrong).toEqual([])
      expect(rows).toBe(keys)
    },
  )

  test(
    'kills find a payment that is made twice by a program that commits it before its key',
    { timeout },
    async ({ pay }) => {
      let wrong = 0
      for (let tries = 0; tries < 8 && wrong === 0; tries += 1) {
        const faults = Array.from({ length: 6 }, () => 'kill' as const)
        wrong = (await pay(faults, false)).wrong.length
      }
      expect(wrong).toBeGreaterThan(0)
    },
  )
})
