import { awakeMs, expect, test, until } from '@repo/testing'
import { z } from 'zod'
import { join } from './registry.fixture.ts'

const INSTANCES = 'threefold:{shared}:cluster:instances'

test('the registry lists announced instances in the order of their numbers, and no withdrawn one', async ({
  redisUrl,
}) => {
  await using ten = await join({ id: 'auth-10', redisUrl })
  await using two = await join({ id: 'auth-2', redisUrl })
  await ten.registry.announce()
  await two.registry.announce()
  const listed = await two.registry.instances()
  expect(listed).toEqual([
    {
      id: 'auth-2',
      app: 'auth',
      version: '1',
      url: 'http://auth-2',
      startedAt: '2026-11-24T12:00:00.000Z',
      ready: true,
      load: 0,
      fingerprint: { MODE: expect.stringMatching(/^[\w-]{12}$/) },
    },
    expect.objectContaining({ id: 'auth-10' }),
  ])
  await ten.registry.close()
  expect((await two.registry.instances()).map(({ id }) => id)).toEqual(['auth-2'])
})

test('an instance with an expired lease is not listed, also without new announcements', async ({
  redisUrl,
}) => {
  await using short = await join({ id: 'short-1', redisUrl, leaseMs: 150 })
  await using long = await join({ id: 'long-1', redisUrl })
  await short.registry.announce()
  const began = awakeMs()
  await until(async () => (await long.registry.instances()).length === 0)
  expect(awakeMs() - began).toBeLessThan(1_000)
  // The next announcement removes its record.
  await long.registry.announce()
  expect(await long.redis.client.hkeys(INSTANCES)).toEqual(['long-1'])
})

test('the registry is complete one announcement after Redis was emptied, and no instance drifts', async ({
  redisUrl,
}) => {
  const everyMs = 50
  await using one = await join({ id: 'a-1', redisUrl, everyMs })
  await using two = await join({ id: 'a-2', redisUrl, everyMs })
  await using three = await join({ id: 'a-3', redisUrl, everyMs })
  const all = async () => (await one.registry.instances()).length === 3
  await until(all)
  const before = await one.registry.instances()
  for (let round = 0; round < 5; round += 1) {
    await one.redis.client.flushall()
    await until(all, { timeoutMs: 2_000 })
  }
  // The instances reuse their previous key, so their hashes are equal.
  expect(await one.registry.instances()).toEqual(before)
  expect([one, two, three].flatMap(({ drifts }) => drifts)).toEqual([])
})

test('settings are hashed with the new key after only the key was lost', async ({ redisUrl }) => {
  await using one = await join({ id: 'a-1', redisUrl })
  await using two = await join({ id: 'a-2', redisUrl })
  await one.registry.announce()
  await two.registry.announce()
  await one.redis.client.set('threefold:{shared}:cluster:fingerprint-key', 'chosen by a restore')
  await one.registry.announce()
  await two.registry.announce()
  await one.registry.announce()
  expect([...one.drifts, ...two.drifts]).toEqual([])
  const [first, second] = await one.registry.instances()
  expect(first?.fingerprint).toEqual(second?.fingerprint)
})

test('an instance logs the settings that differ, and that they are equal again', async ({
  redisUrl,
}) => {
  const given = { redisUrl, settings: { MODE: 'one', SAME: 'x' }, calmMs: 0 }
  await using odd = await join({ ...given, id: 'a-1', settings: { MODE: 'two', SAME: 'x' } })
  await using two = await join({ ...given, id: 'a-2' })
  await using three = await join({ ...given, id: 'b-3' })
  for (const { registry } of [odd, two, three, odd, two]) await registry.announce()
  // One result is not logged: the other instances may be starting.
  expect(odd.registry.drift()).toEqual([])
  for (const { registry } of [odd, two, three]) await registry.announce()
  expect(odd.registry.drift()).toEqual(['MODE'])
  expect(two.registry.drift()).toEqual([])
  // The other instances end, so this one is the majority.
  await two.registry.close()
  await three.registry.close()
  await odd.registry.announce()
  await odd.registry.announce()
  expect(odd.registry.drift()).toEqual([])
  expect(odd.drifts).toEqual([['MODE'], []])
})

test('no settings are compared for the duration of a lease after Redis was emptied', async ({
  redisUrl,
}) => {
  const given = { redisUrl, settings: { MODE: 'one' }, leaseMs: 2_000 }
  await using odd = await join({ ...given, id: 'a-1', settings: { MODE: 'two' } })
  await using two = await join({ ...given, id: 'a-2' })
  await using three = await join({ ...given, id: 'a-3' })
  const all = [odd, two, three]
  const announceUntil = async (isDone: () => boolean) => {
    await until(async () => {
      for (const { registry } of all) await registry.announce()
      return isDone()
    })
  }
  await announceUntil(() => odd.registry.drift().length > 0)
  await odd.redis.client.flushall()
  // The third instance is paused for a moment. The oldest of the other two is a majority.
  for (let turn = 0; turn < 5; turn += 1) {
    await odd.registry.announce()
    await two.registry.announce()
  }
  expect(odd.registry.drift()).toEqual(['MODE'])
  await three.registry.announce()
  const compared = performance.now() + 2_500
  await announceUntil(() => performance.now() > compared)
  expect(all.map(({ drifts }) => drifts)).toEqual([[['MODE']], [], []])
})

test('a record in an unreadable form of another release is not listed', async ({ redisUrl }) => {
  await using one = await join({ id: 'a-1', redisUrl })
  await one.registry.announce()
  await one.redis.client.hset(INSTANCES, 'z-9', '{"id":"z-9","release":"next year"}')
  await one.redis.client.zadd('threefold:{shared}:cluster:leases', Date.now() + 60_000, 'z-9')
  expect((await one.registry.instances()).map(({ id }) => id)).toEqual(['a-1'])
  await one.registry.announce()
})

test('a closed instance is not listed again, also when it closed during an announcement', async ({
  redisUrl,
}) => {
  await using other = await join({ id: 'a-1', redisUrl })
  for (let round = 0; round < 10; round += 1) {
    const leaving = await join({ id: 'a-2', redisUrl })
    await leaving.registry.announce()
    // The server has only the script of withdrawing, so announcing takes one more round trip.
    await other.redis.client.script('FLUSH')
    const closed = await join({ id: 'a-3', redisUrl })
    await closed[Symbol.asyncDispose]()
    const announced = leaving.registry.announce()
    await leaving.registry.close()
    await announced
    await leaving.registry.announce()
    expect(await other.redis.client.hexists(INSTANCES, 'a-2')).toBe(0)
    await leaving.redis.close()
  }
})

test('the registry rejects while Redis is unavailable, and is complete after it recovers', async ({
  ownValkey,
}) => {
  await using one = await join({ id: 'a-1', redisUrl: ownValkey.url, everyMs: 50 })
  await one.registry.announce()
  await ownValkey.kill()
  await expect(one.registry.instances()).rejects.toMatchObject({ name: 'RedisError' })
  await expect(one.registry.announce()).rejects.toMatchObject({ name: 'RedisError' })
  await ownValkey.restart()
  await until(async () => (await one.registry.instances()).length === 1)
})

test('an instance receives the list only when it has changed, and each change with its next announcement', async ({
  redisUrl,
}) => {
  const lengths: number[] = []
  await using one = await join({
    id: 'a-1',
    redisUrl,
    prefix: 'changes',
    through: (redis) => ({
      ...redis,
      async call(command) {
        const reply = await redis.call(command)
        // After the key, the replaced record and the digest.
        lengths.push(z.array(z.unknown()).parse(reply).length - 3)
        return reply
      },
    }),
  })
  // The first announcement receives the key of the cluster.
  await one.registry.announce()
  lengths.length = 0
  const two = await join({ id: 'a-2', redisUrl, prefix: 'changes' })
  await two.registry.announce()
  for (let turn = 0; turn < 3; turn += 1) await one.registry.announce()
  expect([lengths, one.registry.count('a')]).toEqual([[2, 0, 0], 2])
  await two.registry.close()
  await two.redis.close()
  for (let turn = 0; turn < 2; turn += 1) await one.registry.announce()
  expect([lengths.slice(3), one.registry.count('a')]).toEqual([[1, 0], 1])
  await one.redis.client.flushall()
  for (let turn = 0; turn < 2; turn += 1) await one.registry.announce()
  expect([lengths.slice(5), one.registry.count('a')]).toEqual([[0, 0], 1])
})
