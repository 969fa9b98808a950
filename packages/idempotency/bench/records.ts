import { estimate, type Target, target } from '@repo/testing/bench'
import { Redis } from 'ioredis'
import { openLock, openOurs } from './ours.ts'
import { peers } from './peers.ts'
import type { startBenchPostgres } from './postgres.ts'
import { createPayments, type Guard, type Workload } from './requests.ts'

const CALLS = 200
const RECORDS = 5_000

const guards: Record<string, (redisUrl: string) => Promise<Guard>> = { ours: openOurs, ...peers }

/** Reads of Redis for each request, one request at a time: each of them is a round trip. */
export async function countRoundTrips(redisUrl: string): Promise<Target[]> {
  const redis = new Redis(redisUrl)
  const targets: Target[] = []
  async function countReads(name: string, workload: Workload, limit: number): Promise<void> {
    const open = guards[name]
    if (!open) throw new Error(`${name} is no contender`)
    const { middleware, close } = await open(redisUrl)
    const { prepare, run } = createPayments(workload, middleware)
    await prepare()
    await run(CALLS)
    const before = await readsOf(redis)
    for (let i = 0; i < CALLS; i += 1) await run(i)
    // The second look is a read too.
    const reads = ((await readsOf(redis)) - before - 1) / CALLS
    await close()
    const title = workload === 'first' ? 'first call' : 'replay'
    targets.push(target(`round trips of a ${title}, ${name}`, estimate([reads]), '<=', limit))
  }
  for (const name of Object.keys(guards)) {
    await countReads(name, 'first', 2)
    await countReads(name, 'replay', 1)
  }
  redis.disconnect()
  return targets
}

/** Bytes of a record with its key, in Redis and in PostgreSQL with the index. */
export async function measureRecords(
  redisUrl: string,
  postgres: Awaited<ReturnType<typeof startBenchPostgres>>,
): Promise<Target[]> {
  const redis = new Redis(redisUrl)
  const targets: Target[] = []
  for (const [name, open] of Object.entries(guards)) {
    await redis.flushall()
    const { middleware, close } = await open(redisUrl)
    const { run } = createPayments('first', middleware)
    await run(RECORDS)
    const before = await usedBytes(redis)
    for (let i = 0; i < RECORDS; i += 1) await run(i)
    const bytes = ((await usedBytes(redis)) - before) / RECORDS
    await close()
    targets.push(target(`bytes of a record in Redis, ${name}`, estimate([bytes]), '<=', 800))
  }
  redis.disconnect()
  const before = await postgres.bytesOf('idempotency_key')
  const lock = openLock()
  for (let i = 0; i < RECORDS; i += 1) await lock.run(i)
  await lock.close?.()
  const bytes = ((await postgres.bytesOf('idempotency_key')) - before) / RECORDS
  return [...targets, target('bytes of a record in PostgreSQL', estimate([bytes]), '<=', 1_000)]
}

async function readsOf(redis: Redis): Promise<number> {
  return numberOf(await redis.info('stats'), 'total_reads_processed')
}

async function usedBytes(redis: Redis): Promise<number> {
  return numberOf(await redis.info('memory'), 'used_memory')
}

function numberOf(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? Number.NaN)
}
