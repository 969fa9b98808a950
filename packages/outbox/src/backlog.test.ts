import { createMetrics } from '@repo/observability'
import { expect, until } from '@repo/testing'
import { outboxFigures } from './backlog.ts'
import { test } from './open.fixture.ts'
import { createOutbox } from './outbox.ts'

test('a scrape shows the number of waiting rows and the age of the oldest, until Redis has accepted them', async ({
  ownValkey,
  join,
  db,
}) => {
  const { bus } = await join(ownValkey.url, 'a')
  const outbox = createOutbox({ bus, db, everyMs: 20 })
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(outboxFigures(outbox))
  async function read(name: string): Promise<number> {
    const text = await metrics.registry.metrics()
    return Number(new RegExp(`^threefold_outbox_${name}\\{.*\\} (.*)$`, 'm').exec(text)?.[1])
  }
  expect([await read('pending'), await read('oldest_seconds')]).toEqual([0, 0])

  await ownValkey.kill()
  const startedMs = performance.now()
  await db.transaction(async (tx) => {
    for (let i = 0; i < 3; i += 1) await outbox.emit(tx, 'made', i)
  })
  await until(async () => (await read('pending')) === 3)
  await until(async () => (await read('oldest_seconds')) > 0.2)
  // The clock of the age is that of PostgreSQL, on this machine.
  expect(await read('oldest_seconds')).toBeLessThan((performance.now() - startedMs) / 1_000 + 1)
  await ownValkey.restart()
  await until(async () => (await read('pending')) === 0)
  expect(await read('oldest_seconds')).toBe(0)
  expect(await read('refused_total')).toBe(0)
  await outbox.close()
})
