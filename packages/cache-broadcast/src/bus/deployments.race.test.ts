/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { connectRedis, type RedisConnection, type Topology } from '@repo/redis'
import { describe, expect, test as base, until } from '@repo/testing'
import { type Bus, type Cache, createBus, createCache } from '../index.ts'
import { busKeys } from './keys.ts'

interface Instance {
  redis: RedisConnection
  bus: Bus
  cache: Cache<string>
  events: unknown[]
}

/** Opens an instance of a deployment whose source answers with its name. */
const test = base.extend('open', async ({}, { onCleanup }) => {
  const opened: Instance[] = []
  onCleanup(async () => {
    await Promise.all(opened.map(({ bus }) => bus.close()))
    await Promise.all(opened.map(({ redis }) => redis.close()))
  })
  return async (topology: Topology, instance: string, source = () => instance) => {
    const redis = connectRedis({ ...topology, name: instance, deadlineMs: 2_000 })
    await redis.ready()
    const bus = createBus({ redis, name: 'platform', instance, maxStaleMs: 1_000 })
    await bus.ready()
    const load = async (key: string) => `${source()} ${key}`
    const cache = createCache({ bus, name: 'value', load, parse: String })
    const events: unknown[] = []
    bus.on('event', (data) => void events.push(data))
    const joined = { redis, bus, cache, events }
    opened.push(joined)
    return joined
  }
})

describe('two deployments on one server', () => {
  const pairs: [string, [Topology, Topology]][] = [
    ['in two databases', [{ url: '/0' }, { url: '/1' }]],
    [
      'in two databases, without the names of the release before',
      [
        { url: '/0', legacyNames: false },
        { url: '/1', legacyNames: false },
      ],
    ],
    [
      'under two prefixes of one database',
      [
        { url: '/0', prefix: 'one' },
        { url: '/0', prefix: 'two' },
      ],
    ],
    ['under a prefix and the default one', [{ url: '/0' }, { url: '/0', prefix: 'two' }]],
  ]

  test.for(pairs)(
    'two deployments %s do not affect each other',
    async ([, topologies], { redisUrl, open }) => {
      const deployments = await Promise.all(
        topologies.map(async ({ url, ...topology }, i) => {
          const where = { ...topology, url: redisUrl + url }
          // The same ids in both: as from one compose file.
          const source = () => `deployment ${i}`
          return [await open(where, 'gateway-1', source), await open(where, 'gateway-2', source)]
        }),
      )
      const rounds = 40
      const before = deployments.flat().map(({ bus }) => bus.health().resyncs)
      for (let round = 0; round < rounds; round += 1) {
        await Promise.all(
          deployments.map(async ([first, second], i) => {
            const delivery = await first!.bus.emit('event', `${i} ${round}`, { wait: 'everywhere' })
            expect(delivery).toMatchObject({ outcome: 'everywhere', lapsed: [], failed: [] })
            expect(await second!.cache.get('key')).toBe(`deployment ${i} key`)
            await first!.cache.invalidate('key', { wait: 'everywhere' })
          }),
        )
      }
      for (const [i, instances] of deployments.entries()) {
        const expected = Array.from({ length: rounds }, (_, round) => `${i} ${round}`)
        for (const { events } of instances) expect(events).toEqual(expected)
      }
      expect(deployments.flat().map(({ bus }) => bus.health().resyncs)).toEqual(before)
      expect(deployments.flat().every(({ bus }) => bus.health().leaseMsLeft > 0)).toBe(true)
    },
  )
})

/** An instance of the release before: it names no database on its channel. */
async function openBefore(url: string) {
  const { meta, log, members, answers } = busKeys('platform')
  const commands = connectRedis({ url, name: 'before' })
  const channel = commands.client.duplicate({ enableOfflineQueue: true })
  const heard: string[] = []
  const acks: string[] = []
  channel.on('smessage', (name: string, text: string) => {
    ;(name === log ? heard : acks).push(text)
  })
  await channel.ssubscribe(log, answers('before~1'))
  await commands.ready()
  const { client } = commands
  await client.zadd(members, Date.now() + 60_000, '1000:before~1')
  const followers = async () =>
    Number(String(await client.call('PUBSUB', 'SHARDNUMSUB', log)).split(',')[1])
  return {
    heard,
    acks,
    /** How many follow the channel of its release, itself included. */
    followers,
    /** As its script does: number, log, channel. */
    async publish(message: object) {
      const n = await client.hincrby(meta, 'n', 1)
      const payload = JSON.stringify(['before~1.1', 1, message])
      await client.xadd(log, `${n}-0`, 'd', payload)
      await client.spublish(log, `${n} ${payload}`)
    },
    /** Confirms an entry that it received. */
    async confirm(text: string) {
      const [origin]: string[] = JSON.parse(text.slice(text.indexOf(' ') + 1))
      const sender = origin!.slice(0, origin!.lastIndexOf('.'))
      await client.spublish(answers(sender), JSON.stringify([origin, 'before~1', true]))
    },
    leave: () => client.zrem(members, '1000:before~1'),
    async close() {
      channel.disconnect()
      await commands.close()
    },
  }
}

describe('beside an instance of the release before', () => {
  test.for(['/0', '/1'])(
    'in database %s an instance and one of the release before apply the messages of each other, at once and with a barrier',
    async (database, { redisUrl, open }) => {
      const url = redisUrl + database
      const { bus, cache } = await open({ url }, 'after')
      const before = await openBefore(url)
      try {
        await until(async () => (await before.followers()) === 2)
        await cache.get('key')
        const { lastN: at } = bus.health()
        await before.publish({ kind: 'keys', cache: 'value', keys: ['key'] })
        // Sooner than by the look at the log, four times a second.
        await until(() => bus.health().lastN > at, { everyMs: 1, timeoutMs: 2_000 })
        expect(cache.peek('key')).toBeUndefined()
        await until(() => before.acks.length === 1)

        const { resyncs } = bus.health()
        const delivery = bus.emit('event', 1, { wait: 'everywhere' })
        const mine = () => before.heard.find((text) => text.includes('"event":"event"'))
        await until(() => mine() !== undefined)
        await before.confirm(mine()!)
        expect(await delivery).toMatchObject({ acked: expect.arrayContaining(['before', 'after']) })
        expect(bus.health().resyncs).toBe(resyncs)
        // When the last member of that release has left, its channel costs nothing.
        await before.leave()
        await until(async () => (await before.followers()) === 1)
      } finally {
        await before.close()
      }
    },
  )

  test('without the names of the release before, an instance receives nothing on its channel', async ({
    redisUrl,
    open,
  }) => {
    const url = `${redisUrl}/2`
    const { bus } = await open({ url, legacyNames: false }, 'after')
    const before = await openBefore(url)
    const { lastN } = bus.health()
    await bus.emit('event', 1, { wait: 'everywhere' })
    await bus.emit('event', 2, { wait: 'everywhere' })
    expect(bus.health().lastN).toBeGreaterThan(lastN)
    expect([before.heard, await before.followers()]).toEqual([[], 1])
    await before.close()
  })
})

test('two processes with one id are two members, and a barrier waits for both', async ({
  redisUrl,
  open,
}) => {
  const first = await open({ url: `${redisUrl}/3` }, 'gateway-1')
  const second = await open({ url: `${redisUrl}/3` }, 'gateway-1')
  const delivery = await first.bus.emit('event', 1, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ acked: ['gateway-1', 'gateway-1'], lapsed: [] })
  expect([first.events, second.events]).toEqual([[1], [1]])
})
