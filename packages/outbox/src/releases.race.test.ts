import { randomUUID } from 'node:crypto'
import { createCache } from '@repo/cache-broadcast'
import { schema } from '@repo/database'
import { expect, until } from '@repo/testing'
import { sql } from 'drizzle-orm'
import { type Instance, test } from './open.fixture.ts'
import { createOutbox } from './outbox.ts'

/** Rows that no instance of this release can send. */
const MESSAGES: [name: string, message: object][] = [
  [
    'of a kind that this release does not have',
    { kind: 'devices', cache: 'user', devices: ['d1'] },
  ],
  ['with its keys in another form', { kind: 'keys', cache: 'user', keys: { from: 'a', to: 'b' } }],
  [
    'with a key that this release refuses',
    { kind: 'keys', cache: 'user', keys: ['x'.repeat(600)] },
  ],
]

function cacheOn({ bus }: Instance) {
  let loads = 0
  const cache = createCache({ bus, name: 'user', parse: Number, load: async () => (loads += 1) })
  return { cache, loads: () => loads }
}

test.for(MESSAGES)(
  'a row %s is left to the release that wrote it, and after 10 s invalidates all that is cached on two instances and in Redis',
  async ([, message], { redisUrl, join, db }) => {
    const a = await join(redisUrl, 'a')
    const b = await join(redisUrl, 'b')
    const outbox = createOutbox({ bus: a.bus, db, everyMs: 3_600_000 })
    const key = randomUUID()
    const [one, two] = [cacheOn(a), cacheOn(b)]
    const resyncs: string[] = []
    b.bus.on('made', () => undefined, { onResync: () => void resyncs.push('made') })
    await one.cache.get(key)
    await two.cache.get(key)
    expect([one.loads(), two.loads()]).toEqual([1, 0])
    await db.insert(schema.cacheOutbox).values({ bus: 'test', message })
    expect((await outbox.relay()).relayed).toBe(0)
    expect(await outbox.drain()).toEqual({ outcome: 'pending' })
    await one.cache.get(key)
    expect(one.loads()).toBe(1)

    await db.update(schema.cacheOutbox).set({ createdAt: sql`now() - interval '11 s'` })
    expect(await outbox.drain()).toEqual({ outcome: 'drained' })
    expect(await db.$count(schema.cacheOutbox)).toBe(0)
    await until(() => resyncs.length > 0)
    // Memory of both, and Redis: one of them loads again.
    await two.cache.get(key)
    await until(async () => {
      await one.cache.get(key)
      return one.loads() + two.loads() === 2
    })
    await outbox.close()
  },
)
