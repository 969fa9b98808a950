/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { randomUUID } from 'node:crypto'
import { expect, test as base, type Replica, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { connect, type Connected, countEffects, prepare } from './open.fixture.ts'
import type { CrowdResult, Mode, Opening, Paid, Payment, Point } from './payer.fixture.ts'

const PROGRAM = new URL('payer.fixture.ts', import.meta.url)
export const ROOT = new URL('..', import.meta.url).href.replace(/\/$/, '')

export interface World {
  replicas: Replica[]
  database: Connected
  /** Empties Redis. */
  flush(): Promise<void>
}

/** One payment with its faults. Each list must have one entry. */
export interface Verdict {
  /** The number of committed payments. */
  rows: number
  /** The different responses that clients received. */
  bodies: string[]
}

/** The verdict of a payment that is made once, and has one response for all clients. */
export const ONE = { rows: 1, bodies: [expect.any(String)] }

export const MODES: Mode[] = ['row', 'lock', 'tiered']

export type Opened = Partial<Omit<Opening, 'mode'>> & {
  mode: Mode
  count?: number
  /** The database, if the instances reach it through a proxy. */
  directUrl?: string
}

/** `test` with `open(options)`, which starts instances that share PostgreSQL and Redis. */
export const test = base
  .extend('prepared', { scope: 'file' }, async ({ databaseUrl }) => {
    await prepare(databaseUrl)
    return databaseUrl
  })
  .extend('open', async ({ prepared, redisUrl, replicas }, { onCleanup }) => {
    const closing: (() => Promise<unknown>)[] = []
    onCleanup(async () => void (await Promise.all(closing.map((close) => close()))))
    return async ({ count = 2, directUrl, ...options }: Opened): Promise<World> => {
      const urls = { databaseUrl: prepared, redisUrl }
      const opening = { ...urls, leaseMs: 1_500, root: ROOT, deadlineMs: 15_000, ...options }
      const started = await replicas(count, { program: PROGRAM })
      await Promise.all(started.map((replica) => replica.call('open', opening)))
      const database = connect(directUrl ?? opening.databaseUrl, 'test')
      const redis = new Redis(opening.redisUrl)
      // Tests end this server: commands wait until it accepts connections again.
      redis.on('error', () => undefined)
      closing.push(database.close, async () => redis.disconnect())
      return { replicas: started, database, flush: async () => void (await redis.flushall()) }
    }
  })

export const newKey = () => randomUUID()

/** Sends the request of a client until it has the response. */
export function payUntilAnswered(replica: Replica, payment: Payment): Promise<Paid> {
  return replica.call<Paid>('payUntilAnswered', payment)
}

export async function judge(
  { database }: World,
  key: string,
  answers: readonly Paid[],
): Promise<Verdict> {
  const bodies = answers.flatMap(({ body }) => body ?? [])
  return { rows: await countEffects(database, key), bodies: [...new Set(bodies)] }
}

/** Kills an instance at a point of a payment, or after it. Clients send it again to another one. */
export async function kill(world: World, at: Point | 'completed'): Promise<Verdict> {
  const [holder, other] = pair(world)
  const key = newKey()
  const answers: Paid[] = []
  if (at === 'completed') answers.push(await payUntilAnswered(holder, { key }))
  else {
    holder.call('pay', { key, stopAt: at }).catch(() => undefined)
    await holder.call('reached')
  }
  await holder.kill()
  answers.push(await payUntilAnswered(other, { key }))
  return judge(world, key, answers)
}

/** Freezes an instance at a point until another one has the response, and lets it continue. */
export async function freeze(world: World, at: Point): Promise<Verdict & { waitedMs: number }> {
  const [zombie, other] = pair(world)
  const key = newKey()
  const late = zombie.call<Paid>('pay', { key, stopAt: at })
  await zombie.call('reached')
  const startedAtMs = performance.now()
  zombie.stop()
  const answer = await payUntilAnswered(other, { key })
  const waitedMs = Math.round(performance.now() - startedAtMs)
  zombie.continue()
  await zombie.call('resume')
  return { ...(await judge(world, key, [answer, await late])), waitedMs }
}

/** Lets a holder that was taken over continue while its successor runs. Returns its outcome too. */
export async function takeOver(world: World, at: Point): Promise<Verdict & { zombie: string }> {
  const [zombie, successor] = pair(world)
  const key = newKey()
  const late = zombie.call<Paid>('pay', { key, stopAt: at })
  await zombie.call('reached')
  zombie.stop()
  const answer = payUntilAnswered(successor, { key, stopAt: at })
  await successor.call('reached')
  zombie.continue()
  await zombie.call('resume')
  const { outcome, ...rest } = await late
  await successor.call('resume')
  const verdict = await judge(world, key, [await answer, { outcome, ...rest }])
  return { ...verdict, zombie: outcome }
}

/** Empties Redis while an instance is frozen within its payment. */
export async function loseWhileRunning(world: World): Promise<Verdict> {
  const [holder, other] = pair(world)
  const key = newKey()
  const late = holder.call<Paid>('pay', { key, stopAt: 'claimed' })
  await holder.call('reached')
  holder.stop()
  await world.flush()
  const answer = await payUntilAnswered(other, { key })
  holder.continue()
  await holder.call('resume')
  return judge(world, key, [answer, await late])
}

/** Empties Redis after a payment. */
export async function loseAfterSuccess(world: World): Promise<Verdict & { outcome: string }> {
  const [holder, other] = pair(world)
  const key = newKey()
  const first = await payUntilAnswered(holder, { key })
  await world.flush()
  const again = await payUntilAnswered(other, { key })
  return { ...(await judge(world, key, [first, again])), outcome: again.outcome }
}

/** The keys of a crowd without exactly one payment and one response. */
export async function findFaults(
  { database }: World,
  keys: readonly string[],
  results: readonly CrowdResult[],
): Promise<object[]> {
  const faults: object[] = []
  for (const key of keys) {
    const bodies = [...new Set(results.flatMap((result) => result[key]?.bodies ?? []))]
    const rows = await countEffects(database, key)
    if (rows !== 1 || bodies.length !== 1) faults.push({ key, rows, bodies })
  }
  return faults
}

/** Waits until a further payment is committed, or all of them are. */
export async function untilPaid({ database }: World, keys: readonly string[]): Promise<void> {
  const count = () => countEffects(database, ...keys)
  const before = await count()
  await until(async () => (await count()) > before || before === keys.length)
}

/** Starts the clients of each key on each instance. */
export function payAll(
  { replicas }: World,
  crowd: { keys: string[]; clientsPerKey: number; workMs?: number },
): Promise<CrowdResult[]> {
  return Promise.all(replicas.map((replica) => replica.call<CrowdResult>('payAll', crowd)))
}

function pair({ replicas: [first, second] }: World): [Replica, Replica] {
  if (!first || !second) throw new Error('the test needs two instances')
  return [first, second]
}
