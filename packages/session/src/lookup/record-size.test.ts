import { expect } from '@repo/testing'
import { Redis } from 'ioredis'
import { test } from '../join.fixture.ts'
import { cookieOf, makeUser, signIn } from '../open.fixture.ts'
import { parseRecord } from './session-record.ts'

const MAX_RECORD = 2_048
const SESSIONS = 60
const LONG = 'é'.repeat(450_000)

async function bytesOf(redis: Redis): Promise<number> {
  const keys = await redis.keys('*')
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key)))
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

test(`a session record in Redis has at most ${MAX_RECORD} bytes for a user of any size: ${SESSIONS} sessions of one user`, async ({
  stores,
  join,
}) => {
  const { sessions, database } = await join(stores, 'a')
  const userId = await makeUser(database)
  await database.pool.query(`update "user" set name = $2, email = $3, image = $2 where id = $1`, [
    userId,
    LONG,
    `${'x'.repeat(60_000)}@threefold.test`,
  ])
  const redis = new Redis(stores.redisUrl)
  const before = await bytesOf(redis)
  for (let i = 0; i < SESSIONS; i += 1) {
    const { token, id } = await signIn(database, userId)
    await database.pool.query('update session set user_agent = $2 where id = $1', [
      id,
      'x'.repeat(15_000),
    ])
    const check = await sessions.validate(cookieOf(token))
    expect(check).toMatchObject({ outcome: 'valid', tier: 'database', user: { id: userId } })
    if (check.outcome !== 'valid') continue
    expect(check.user.name).toHaveLength(100)
    // No e-mail address: it cannot be read as the address of another user.
    expect(check.user.email).toMatch(/^x{253}…$/)
  }
  const after = await bytesOf(redis)
  await redis.quit()
  expect(after - before).toBeGreaterThan(SESSIONS * 100)
  expect(after - before).toBeLessThan(SESSIONS * MAX_RECORD)
  const [device] = await sessions.list(userId)
  expect(device?.agent).toHaveLength(256)
})

test('a session record of the previous release is read with bounded texts', () => {
  const at = new Date(0).toISOString()
  const record = parseRecord({
    state: 'live',
    session: { id: 's', createdAt: at, expiresAt: at },
    user: { id: 'u', name: LONG, email: LONG, role: 'user' },
    actor: { id: 'a', name: LONG },
    until: at,
  })
  expect(JSON.stringify(record).length).toBeLessThan(MAX_RECORD)
})
