import type { Replica } from '@repo/testing'
import { until } from '@repo/testing'
import { Redis } from 'ioredis'
import { type Cluster, nowMs } from './cluster.fixture.ts'
import { type Revocation, setSessionLimit } from './index.ts'
import type { Hammered } from './instance.fixture.ts'
import { makeUser, POOL_SIZE, withCookie } from './open.fixture.ts'

/** The result of a race. The number of violations is 0 for the program, and more for a mutant. */
export interface Verdict {
  attempts: number
  violations: number
}

const all = <T>({ three }: Cluster, method: string, arg?: unknown) =>
  Promise.all(three.map((replica) => replica.call<T>(method, arg)))

/** A session, and its cookie with and without the second cookie, cached on every instance. */
async function warm(cluster: Cluster, userId: string): Promise<string[]> {
  const [first] = cluster.three
  const cookie = await first!.call<string>('signIn', userId)
  const both = withCookie(cookie, await first!.call<string>('secondCookie', cookie))
  await all(cluster, 'validate', [cookie, both])
  return [cookie, both]
}

async function countValid(cluster: Cluster, cookies: string[]): Promise<number> {
  const outcomes = await all<string[]>(cluster, 'validate', cookies)
  return outcomes.flat().filter((outcome) => outcome === 'valid').length
}

/** 50 sign-ins at once over three instances, used everywhere, then "sign out everywhere". */
export async function revokeAll(cluster: Cluster): Promise<Verdict> {
  const userId = await makeUser(cluster.database)
  const made = await Promise.all(
    cluster.three.map((replica, i) =>
      replica.call<string[]>('signInMany', { userId, n: i === 0 ? 18 : 16 }),
    ),
  )
  const cookies = made.flat()
  await countValid(cluster, cookies)
  // Further sign-ins run at the same time. The earlier sessions must end all the same.
  const later = cluster.three.map((replica) => replica.call('signInMany', { userId, n: 3 }))
  // Until all confirm: while a busy machine gives Redis no turn, the outcome is `pending`.
  await until(async () => {
    const order = { target: { userId }, confirm: 'all' }
    const { outcome } = await cluster.three[1]!.call<Revocation>('revoke', order)
    return outcome === 'confirmed'
  })
  const violations = await countValid(cluster, cookies)
  await Promise.all(later)
  return { attempts: cookies.length, violations }
}

/** A ban in the middle of 30 sign-ins, which is then lifted. */
export async function banDuringSignIns(cluster: Cluster): Promise<Verdict> {
  const userId = await makeUser(cluster.database)
  const making = cluster.three.map((replica) =>
    replica.call<string[]>('signInMany', { userId, n: 10 }),
  )
  await cluster.three[0]!.call('ban', userId)
  const cookies = (await Promise.all(making)).flat()
  const banned = await countValid(cluster, cookies)
  await cluster.database.pool.query('update "user" set banned = false where id = $1', [userId])
  const left = await cluster.database.pool.query('select from session where user_id = $1', [userId])
  const live = banned + (await countValid(cluster, cookies)) + (left.rowCount ?? 0)
  return { attempts: 30, violations: live }
}

/** A second cookie is sent to an instance that never read the session, after its revocation. */
export async function showLate(cluster: Cluster): Promise<Verdict> {
  const [first, second, third] = cluster.three
  const userId = await makeUser(cluster.database)
  const cookie = await first!.call<string>('signIn', userId)
  const both = withCookie(cookie, await first!.call<string>('secondCookie', cookie))
  await second!.call('revoke', { target: { userId }, confirm: 'all' })
  const [outcome] = await third!.call<string[]>('validate', [both])
  return { attempts: 1, violations: outcome === 'revoked' ? 0 : 1 }
}

/** 20 sign-ins at once where 3 are allowed. */
export async function exceedLimit(
  cluster: Cluster,
  onExceeded: 'reject' | 'evict-oldest',
): Promise<Verdict> {
  await setSessionLimit(cluster.database, { max: 3, onExceeded })
  const userId = await makeUser(cluster.database)
  const made = await heldBack(cluster, userId, () =>
    cluster.three.map((replica, i) =>
      replica.call<string[]>('signInMany', { userId, n: i === 0 ? 6 : 7 }),
    ),
  )
  await setSessionLimit(cluster.database, undefined)
  const live = await countValid(cluster, made.flat())
  return { attempts: 20, violations: Math.abs(live / 3 - 3) }
}

/** Locks the row of the user until a sign-in waits for it on each connection, and then unlocks it. */
async function heldBack<T>(
  { database, three }: Cluster,
  userId: string,
  signIns: () => Promise<T>[],
): Promise<T[]> {
  const holder = await database.pool.connect()
  try {
    await holder.query('begin')
    await holder.query('select from "user" where id = $1 for update', [userId])
    const making = Promise.all(signIns())
    await until(async () => {
      const { rowCount } = await database.pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rowCount === three.length * POOL_SIZE
    })
    await holder.query('commit')
    return await making
  } finally {
    // Also in an open transaction, which ends with the connection.
    holder.release(true)
  }
}

/** Checks, fills and touches on every instance without pause, while the session is revoked. */
export async function hammerThrough(
  cluster: Cluster,
  confirm: 'all' | undefined,
): Promise<Verdict & { worstMs: number }> {
  const userId = await makeUser(cluster.database)
  const cookies = await warm(cluster, userId)
  await all(cluster, 'hammer', cookies)
  // One instance receives messages later than the others.
  if (confirm) cluster.proxies[0]!.delay(40)
  await cluster.three[2]!.call('revoke', { target: { userId }, confirm })
  const atMs = nowMs()
  await untilRefused(cluster.three, cookies)
  cluster.proxies[0]!.delay(0)
  const hammered = await all<Hammered>(cluster, 'halt')
  const worstMs = Math.max(...hammered.map(({ lastValidMs }) => lastValidMs - atMs))
  const attempts = hammered.reduce((sum, { checks }) => sum + checks, 0)
  return { attempts, worstMs, violations: worstMs > (confirm ? 0 : 1_500) ? 1 : 0 }
}

async function untilRefused(three: Replica[], cookies: string[]) {
  const refused = async (replica: Replica) => {
    const outcomes = await replica.call<string[]>('validate', cookies)
    return outcomes.every((outcome) => outcome !== 'valid')
  }
  // A mutant never refuses.
  await until(async () => (await Promise.all(three.map(refused))).every(Boolean), {
    timeoutMs: 3_000,
  }).catch(() => 'never')
}

/** An instance is cut off from Redis while a session is revoked by another one. */
export async function cutOff(cluster: Cluster): Promise<Verdict & { lastMs: number }> {
  const userId = await makeUser(cluster.database)
  const cookies = await warm(cluster, userId)
  const [cut, other] = cluster.three
  // A proxy that forwards no data and closes no connection.
  cluster.proxies[0]!.halfOpen()
  await cut!.call('hammer', cookies)
  await other!.call('revoke', { target: { userId } })
  const atMs = nowMs()
  await untilRefused([cut!], cookies)
  const { lastValidMs, checks } = await cut!.call<Hammered>('halt')
  await cluster.proxies[0]!.heal()
  const lastMs = lastValidMs - atMs
  return { attempts: checks, lastMs, violations: lastMs > 1_500 ? 1 : 0 }
}

/**
 * Redis becomes unreachable, a user signs out, and Redis returns with its data, or with the data from
 * before another user signed out. No running instance accepts a user who signed out.
 */
export async function restart(cluster: Cluster, data: 'same' | 'old'): Promise<Verdict> {
  const users = [await makeUser(cluster.database), await makeUser(cluster.database)]
  const [early, late] = await Promise.all(users.map((userId) => warm(cluster, userId)))
  const before = data === 'old' ? await dump(cluster.redisUrl) : undefined
  const [first] = cluster.three
  await first!.call('revoke', { target: { userId: users[0] }, confirm: 'all' })
  await Promise.all(cluster.proxies.map((proxy) => proxy.cut()))
  // Redis does not receive the revocation. It stays in the outbox, which has no turns in this test.
  const signedOut = await first!.call<{ outcome: string }>('revoke', {
    target: { userId: users[1] },
  })
  if (signedOut.outcome !== 'pending') throw new Error(`signed out ${signedOut.outcome}`)
  if (before) await restore(cluster.redisUrl, before)
  await Promise.all(cluster.proxies.map((proxy) => proxy.heal()))
  let attempts = 0
  let violations = 0
  const untilMs = nowMs() + 1_200
  while (nowMs() < untilMs) {
    violations += await countValid(cluster, [...early!, ...late!])
    attempts += 12
  }
  await all(cluster, 'ready')
  return { attempts, violations: violations + (await countValid(cluster, [...early!, ...late!])) }
}

async function dump(url: string): Promise<Map<string, Buffer>> {
  const redis = new Redis(url)
  const keys = await redis.keys('*')
  const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)))
  redis.disconnect()
  return new Map(keys.flatMap((key, i) => (dumps[i] ? [[key, dumps[i]]] : [])))
}

/** As a server that was killed comes back with its last snapshot. */
async function restore(url: string, dumps: Map<string, Buffer>) {
  const redis = new Redis(url)
  await redis.flushall()
  for (const [key, value] of dumps) await redis.restore(key, 0, value)
  redis.disconnect()
}
