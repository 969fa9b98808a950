import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { connectDatabase, migrateDatabase } from '@repo/database'
import { createLog } from '@repo/observability'
import { createOutbox } from '@repo/outbox'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import { expect, test, until } from '@repo/testing'
import { createPublishedLimits } from './published-limits.ts'

const limitsOf = (quota: number) => ({
  policies: [{ name: 'ip', quota, windowMs: 1_000, by: 'ip' }],
  routes: [{ path: '/api', policies: ['ip'] }],
})

test('an instance that could not read changed limits applies them once it can', async ({
  databaseUrl,
}) => {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 2 })
  const log = createLog({ app: 'gateway', instance: 'gateway-1', version: '', level: 'silent' })
  const bus = createMemoryBus()
  const outbox = createOutbox({ bus, db: database.db })
  const limits = await createPublishedLimits({
    limiter: createMemoryRateLimiter({ policies: [] }),
    ...{ bus, outbox, database, log },
    initial: { policies: [], routes: [] },
  })
  const quotas = () => limits.current().policies.map(({ quota }) => quota)
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
  await outbox.close()
  await database.close()
})
