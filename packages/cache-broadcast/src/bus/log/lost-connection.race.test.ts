import { blockEventLoop, contend, expect, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { test } from '../../open.fixture.ts'

const everywhere = { outcome: 'everywhere', lapsed: [], failed: [] }

/** Ends the connection on which instance `a` follows the log, as `CLIENT KILL` or a proxy does. */
async function killTail(admin: Redis): Promise<void> {
  const lines = String(await admin.call('CLIENT', 'LIST')).split('\n')
  for (const line of lines.filter((text) => / name=a~\S*-tail /.test(text))) {
    await admin.call('CLIENT', 'KILL', 'ID', /^id=(\d+)/.exec(line)?.[1] ?? '')
  }
}

test('40 barriers and 40 changes around a CLIENT KILL of the connection that follows the log are not rejected', async ({
  ownValkey,
  join,
}) => {
  const open = (id: string) => join(ownValkey.url, id, { maxStaleMs: 1_000, deadlineMs: 1_000 })
  const [a, b] = await Promise.all(['a', 'b'].map(open))
  await until(async () => {
    const delivery = await a!.bus.emit('ping', 1, { wait: 'everywhere' })
    return delivery.outcome === 'everywhere' && delivery.ms < 800 && delivery.acked.length === 2
  })
  const seen: number[] = []
  b!.bus.on('made', (data) => void seen.push(Number(data)))
  const admin = new Redis(ownValkey.url)
  for (let round = 0; round < 5; round += 1) {
    const before = contend(4, (i) => a!.bus.invalidate('c', `k${i}`, { wait: 'everywhere' }))
    const changes = contend(4, (i) => a!.bus.emit('made', round * 8 + i))
    await Promise.all([before, changes])
    await killTail(admin)
    const after = contend(4, (i) => a!.bus.invalidate('c', `k${i}`, { wait: 'everywhere' }))
    const later = contend(4, (i) => a!.bus.emit('made', round * 8 + 4 + i))
    for (const result of [...(await before), ...(await after)]) {
      expect(result).toMatchObject({ status: 'fulfilled', value: everywhere })
    }
    for (const result of [...(await changes), ...(await later)]) {
      expect(result).toMatchObject({ status: 'fulfilled', value: { outcome: 'sent' } })
    }
    await until(() => a!.bus.health().leaseMsLeft > 0)
  }
  admin.disconnect()
  await until(() => seen.length === 40)
  expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i))
  expect(a!.bus.health().resyncs + b!.bus.health().resyncs).toBe(0)
})

test.for([260, 500])(
  'after a pause of %i ms with calls in flight no call is refused, and no instance joins again',
  async (pauseMs, { ownValkey, join }) => {
    const open = (id: string) => join(ownValkey.url, id, { maxStaleMs: 1_000 })
    const [a, b] = await Promise.all(['a', 'b'].map(open))
    for (let round = 0; round < 4; round += 1) {
      const calls = contend(6, (i) => a!.bus.emit('x', i))
      await new Promise((resolve) => setImmediate(resolve))
      blockEventLoop(pauseMs)
      const results = [...(await calls), ...(await contend(20, (i) => a!.bus.emit('x', i)))]
      expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
      await until(() => a!.bus.health().leaseMsLeft > 0)
    }
    for (const { bus } of [a!, b!]) {
      expect(bus.health()).toMatchObject({ resyncs: 0, refused: 0 })
      expect(bus.link.lease.lapses).toBe(1)
    }
  },
)

test('2,000 concurrent barriers do not time out, and another caller is served at the same time', async ({
  ownValkey,
  join,
}) => {
  const [a, b] = await Promise.all(['a', 'b'].map((id) => join(ownValkey.url, id)))
  const barriers = contend(2_000, (i) => a!.bus.emit('x', i, { wait: 'everywhere' }))
  const others = contend(20, (i) => b!.bus.emit('y', i))
  const results = await barriers
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
  for (const result of results) expect(result).toMatchObject({ value: everywhere })
  expect((await others).filter(({ status }) => status === 'rejected')).toEqual([])
})
