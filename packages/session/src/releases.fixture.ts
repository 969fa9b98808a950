import { createHmac, hash } from 'node:crypto'
import { copyMutant, type Edit } from '@repo/testing'
import { Redis } from 'ioredis'
import type { Cluster } from './cluster.fixture.ts'
import { SECRET } from './open.fixture.ts'

/** The names of commit ed408d6. */
const BUS = 'threefold:{shared}:bus-platform'
export const METRICS = 'threefold:{shared}:session:metrics'

/** The changes of a later release: each format once. */
const CHANGES: Edit[] = [
  // A record with another field.
  [
    'lookup/postgres-lookup.ts',
    `return { state: 'live', session, user, until }`,
    `return { state: 'live', session, user, until, assurance: 2 }`,
  ],
  // Another version of the second cookie.
  ['cookie/second-cookie.ts', 'z.literal(1)', 'z.literal(2)'],
  ['cookie/second-cookie.ts', 'JSON.stringify([1, key', 'JSON.stringify([2, key'],
  // Another name of an event.
  ['revoke/settle.ts', `'session.settled'`, `'session.settled.2'`],
  // Another field, and counts that are not whole.
  [
    'metrics/scripts.ts',
    `redis.call('HSETNX', KEYS[1], 'since'`,
    `redis.call('HSET', KEYS[1], 'format', '2', 'total:memo', '1.5')
    redis.call('HSETNX', KEYS[1], 'since'`,
  ],
]

/** Copies the program as a later release; returns the copy's entry. */
export function makeNextRelease() {
  return copyMutant(import.meta.dirname, 'release-next', CHANGES)
}

/** Stores text as the record of a session, under the header and the tag of commit ed408d6. */
export async function storeRecord(
  redisUrl: string,
  {
    token,
    userId,
    text,
    kind = 'T',
  }: { token: string; userId: string; text: string; kind?: string },
): Promise<void> {
  const redis = new Redis(redisUrl)
  const n = await redis.hget(`${BUS}:meta`, 'n')
  const freshUntilMs = String(Date.now() + 300_000).padStart(13, '0')
  const tag = encodeURIComponent(`user:${userId}`)
  const header = `${kind}${String(n).padStart(16, '0')}${freshUntilMs}`
  const tags = `${String(tag.length).padStart(6, '0')}${tag}`
  const key = `${BUS}:value:session:${hash('sha256', token)}:v`
  await redis.set(key, header + tags + text, 'PX', 300_000)
  redis.disconnect()
}

/** The record that commit ed408d6 writes. Its name shows that it was read from Redis. */
export function recordOf({ id, userId }: { id: string; userId: string }) {
  const at = new Date().toISOString()
  const until = new Date(Date.now() + 3_600_000).toISOString()
  return {
    state: 'live',
    session: { id, createdAt: at, expiresAt: until },
    user: { id: userId, name: 'From Redis', email: 'redis@threefold.test', role: 'user' },
    until,
  }
}

/** Appends a message to the log of the bus in Redis. */
export async function appendMessage(redisUrl: string, message: object): Promise<void> {
  const redis = new Redis(redisUrl)
  const payload = JSON.stringify(['later~3-abcdefgh.1', 0, message])
  const n = await redis.hincrby(`${BUS}:meta`, 'n', 1)
  await redis.xadd(`${BUS}:log`, `${n}-0`, 'd', payload)
  redis.disconnect()
}

/** A second cookie whose payload is any text, signed as commit ed408d6 signs it. */
export function signSecondCookie(payload: string, sessionCookie: string): string {
  const derived = createHmac('sha256', SECRET).update('threefold session claim').digest()
  const kid = hash('sha256', derived, 'base64url').slice(0, 6)
  const text = `${kid}.${Buffer.from(payload).toString('base64url')}`
  const mac = createHmac('sha256', derived).update(`${text}\n${sessionCookie}`).digest('base64url')
  return `threefold.sc=${text}.${mac}`
}

/** Opens one of the three processes again with another release. */
export async function replaceRelease(
  { three, proxies }: Cluster,
  databaseUrl: string,
  { index, source }: { index: number; source: string },
): Promise<void> {
  await three[index]!.call('close')
  const stores = { databaseUrl, redisUrl: proxies[index]!.url }
  await three[index]!.call('open', { source, instance: `session-${index}`, ...stores })
}

/** Written by commit ed408d6, for a session cookie with this token. */
export const RECORDED = {
  token: 'recorded0token0of0thirty0two0chars',
  sessionCookie:
    'recorded0token0of0thirty0two0chars.TFUG8VprFeKtmyAISX06msnsyCAdvaSj6ew4cW%2F9Ips%3D',
  claim:
    'SLovu-.WzEsIjhhNzc5ZTg4MmRiZjI3NmFiNTU0OTgzNGQwOWRmOGNlYTU2NWJlOTNkNjFhNzQzMjg4NDE0YjA5NWEyYmZhNjgiLDkwMDAwMDAwMDAwMDAwMDAsNDA3MDkwODgwMDAwMCwicmVjb3JkZWQtc2Vzc2lvbiIsMTc5MzQ5MTIwMDAwMCw0MTAyNDQ0ODAwMDAwLCJyZWNvcmRlZC11c2VyIiwiQWRhIiwiYWRhQHRocmVlZm9sZC50ZXN0IiwidXNlciJd.mwsxl7Kwz0s3GkjROMluPHvnr7W1hSeW8SiL__HS2JY',
}
