import type { RedisConnection } from '@repo/redis'
import { blockEventLoop, contend, expect, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { callUntil, test } from '../../open.fixture.ts'

const everywhere = { outcome: 'everywhere', lapsed: [], failed: [] }

/** Ends the connections of this name, as an operator or a proxy does; returns their number. */
async function killConnections(admin: Redis, name: RegExp): Promise<number> {
  const clients = String(await admin.call('CLIENT', 'LIST')).split('\n')
  const found = clients.filter((line) => name.test(line))
  for (const line of found) {
    await admin.call('CLIENT', 'KILL', 'ID', /^id=(\d+)/.exec(line)?.[1] ?? '')
  }
  return found.length
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
    await killConnections(admin, / name=a~\S*-tail /)
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

test.for([
  ['the connection for commands', / name=a /, 1],
  ['all connections of an instance', / name=a(~\S*-tail)? /, 2],
] as const)(
  'after a CLIENT KILL of %s while idle, 40 barriers and 40 changes are not rejected, and each change is applied once',
  async ([, name, count], { ownValkey, join }) => {
    const open = (id: string) => join(ownValkey.url, id, { maxStaleMs: 1_000, deadlineMs: 1_000 })
    const [a, b] = await Promise.all(['a', 'b'].map(open))
    const seen: number[] = []
    b!.bus.on('made', (data) => void seen.push(Number(data)))
    const admin = new Redis(ownValkey.url)
    for (let round = 0; round < 10; round += 1) {
      await until(() => a!.redis.client.status === 'ready' && a!.bus.health().leaseMsLeft > 0)
      // A call that is written before the loss is noticed may have run, and is rejected.
      const { promise: closed, resolve } = Promise.withResolvers<void>()
      a!.redis.client.once('close', resolve)
      expect(await killConnections(admin, name)).toBe(count)
      await closed
      const barriers = contend(4, (i) => a!.bus.invalidate('c', `k${i}`, { wait: 'everywhere' }))
      const changes = contend(4, (i) => a!.bus.emit('made', round * 4 + i))
      for (const result of await barriers) {
        expect(result).toMatchObject({ status: 'fulfilled', value: everywhere })
      }
      for (const result of await changes) {
        expect(result).toMatchObject({ status: 'fulfilled', value: { outcome: 'sent' } })
      }
    }
    admin.disconnect()
    await until(() => seen.length === 40)
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i))
    expect(a!.bus.health().resyncs + b!.bus.health().resyncs).toBe(0)
  },
)

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

/** 64 messages of a bus at a time, and the acknowledgements and other calls beside them. */
const MOST_COMMANDS = 100

/** Counts the commands of a connection that are in flight. */
function countInFlight({ client }: RedisConnection) {
  const counts = { now: 0, most: 0 }
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    counts.now += 1
    counts.most = Math.max(counts.most, counts.now)
    const end = () => void (counts.now -= 1)
    command.promise.then(end, end)
    return send(command, stream)
  }
  return counts
}

test('2,000 concurrent barriers do not time out, and other callers are served at the same time', async ({
  ownValkey,
  join,
}) => {
  // A busy machine stops the server for longer than the deadlines of other tests. That barriers do not
  // wait for each other is the number of commands in flight, and not a time.
  const patient = { maxStaleMs: 2_000, deadlineMs: 4_000 }
  const [a, b] = await Promise.all(['a', 'b'].map((id) => join(ownValkey.url, id, patient)))
  const counts = countInFlight(a!.redis)
  const barriers = contend(2_000, (i) => a!.bus.emit('x', i, { wait: 'everywhere' }))
  const others = contend(20, (i) => b!.bus.emit('y', i))
  const meanwhile = await callUntil(barriers, a!)
  const results = await barriers
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
  for (const result of results) expect(result).toMatchObject({ value: everywhere })
  expect((await others).filter(({ status }) => status === 'rejected')).toEqual([])
  expect(meanwhile).toMatchObject({ rejected: [] })
  expect(meanwhile.served).toBeGreaterThan(10)
  expect(counts.most).toBeLessThanOrEqual(MOST_COMMANDS)
})
