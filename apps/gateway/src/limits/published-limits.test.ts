import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { connectDatabase, type DatabaseConnection, migrateDatabase } from '@repo/database'
import { createLog } from '@repo/observability'
import { createOutbox } from '@repo/outbox'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import { expect, test as base, until } from '@repo/testing'
import { createPublishedLimits } from './published-limits.ts'

const limitsOf = (quota: number) => ({
  policies: [{ name: 'ip', quota, windowMs: 1_000, by: 'ip' }],
  routes: [{ path: '/api', policies: ['ip'] }],
})

/** `test` on a migrated database without stored limits. */
const test = base.extend('database', async ({ databaseUrl }, { onCleanup }) => {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 6 })
  onCleanup(() => database.close())
  await database.pool.query(`delete from setting where name = 'limits'`)
  return database
})

/** The limits of one instance, which receives no message of another one. */
async function openLimits(database: DatabaseConnection) {
  const bus = createMemoryBus()
  const outbox = createOutbox({ bus, db: database.db })
  const limits = await createPublishedLimits({
    limiter: createMemoryRateLimiter({ policies: [] }),
    bus,
    outbox,
    database,
    log: createLog({ app: 'gateway', instance: 'gateway-1', version: '', level: 'silent' }),
    initial: { policies: [], routes: [] },
  })
  const quotas = () => limits.current().policies.map(({ quota }) => quota)
  return { bus, limits, quotas, [Symbol.asyncDispose]: () => outbox.close() }
}

test('an instance that could not read changed limits applies them once it can', async ({
  database,
}) => {
  await using instance = await openLimits(database)
  const { bus, limits, quotas } = instance
  expect(await limits.set(limitsOf(5), 'ada')).toMatchObject({ outcome: 'set' })
  expect(quotas()).toEqual([5])

  const { pool } = database
  await pool.query(`update setting set value = $1 where name = 'limits'`, [{ limits: limitsOf(7) }])
  await pool.query('alter table setting rename to hidden')
  const delivery = await bus.emit('limits.changed', null, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ failed: ['memory'] })
  expect(quotas()).toEqual([5])
  await pool.query('alter table hidden rename to setting')
  await until(() => quotas()[0] === 7)
})

test('of three instances that publish one file at the same time, one stores it and all apply it', async ({
  database,
}) => {
  await using one = await openLimits(database)
  await using two = await openLimits(database)
  await using three = await openLimits(database)
  const instances = [one, two, three]
  const file = JSON.stringify(limitsOf(5))
  const published = await Promise.all(instances.map(({ limits }) => limits.publish(file)))
  expect(published.map(({ outcome }) => outcome).toSorted()).toEqual([
    'set',
    'unchanged',
    'unchanged',
  ])
  expect(instances.map(({ quotas }) => quotas())).toEqual([[5], [5], [5]])
})

test('a file does not undo the later change of an administrator, on an instance that has read neither', async ({
  database,
}) => {
  await using one = await openLimits(database)
  await using two = await openLimits(database)
  await using three = await openLimits(database)
  const file = JSON.stringify(limitsOf(5))
  expect(await one.limits.publish(file)).toMatchObject({ outcome: 'set' })
  expect(await two.limits.set(limitsOf(7), 'ada')).toMatchObject({ outcome: 'set' })
  expect(await three.limits.publish(file)).toEqual({ outcome: 'unchanged' })
  expect(three.quotas()).toEqual([7])
  expect(await three.limits.publish(JSON.stringify(limitsOf(9)))).toMatchObject({ outcome: 'set' })
  expect(three.quotas()).toEqual([9])
})
