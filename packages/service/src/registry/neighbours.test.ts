import { expect, test, until } from '@repo/testing'
import { ask } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'
import { join, type Member } from './registry.fixture.ts'

async function announceInTurn(rounds: number, ...members: Member[]) {
  for (let round = 0; round < rounds; round += 1) {
    for (const { registry } of members) await registry.announce()
  }
}

test('two processes with one INSTANCE_ID log it and name each other in /health until one ends', async ({
  redisUrl,
}) => {
  await using first = await join({ id: 'auth-1', redisUrl })
  const second = await join({ id: 'auth-1', redisUrl })
  await using bystander = await join({ id: 'auth-2', redisUrl })
  await announceInTurn(2, first, second, bystander)
  for (const { registry, events } of [first, second]) {
    expect(registry.problems()).toEqual([
      expect.stringMatching(/^INSTANCE_ID auth-1 is also used by another process \(pid \d+ on /),
    ])
    expect(events.filter((event) => event === 'instance.duplicate')).toHaveLength(1)
  }
  expect(bystander.registry.problems()).toEqual([])
  // It does not withdraw the record of the remaining process.
  await first.registry.announce()
  await second[Symbol.asyncDispose]()
  expect((await bystander.registry.instances()).map(({ id }) => id)).toEqual(['auth-1', 'auth-2'])
  await announceInTurn(4, first)
  expect(first.registry.problems()).toEqual([])
  expect(first.events).toContain('instance.unique')
})

test('two processes with one INSTANCE_ID are degraded in /health with a text, and serve', async ({
  redisUrl,
  replicas,
}) => {
  const env = { ...settingsFor(redisUrl), INSTANCE_ID: 'auth-9' }
  const both = await replicas(2, { program, env, ready: '/readyz' })
  for (const replica of both) {
    await until(async () => {
      const { status, body } = await ask(`${replica.url}/health`)
      const text = 'INSTANCE_ID auth-9 is also used by another process'
      return status === 200 && body.includes('"degraded"') && body.includes(text)
    })
    expect(replica.output()).toContain('"event":"instance.duplicate"')
    expect(await ask(`${replica.url}/hello`)).toMatchObject({ status: 200 })
  }
})

test('a process of the previous release, which has no nonce, is another process', async ({
  redisUrl,
}) => {
  await using one = await join({ id: 'auth-1', redisUrl })
  await one.registry.announce()
  const key = one.redis.keyspace('cluster')('instances')
  const record: object = JSON.parse((await one.redis.client.hget(key, 'auth-1')) ?? '')
  await one.redis.client.hset(key, 'auth-1', JSON.stringify({ ...record, process: undefined }))
  await one.registry.announce()
  expect(one.registry.problems()).toHaveLength(1)
})

test('a process that replaces a killed one is no duplicate', async ({ redisUrl }) => {
  const killed = await join({ id: 'auth-1', redisUrl })
  await announceInTurn(3, killed)
  // It is not withdrawn, so its lease has not expired.
  await killed.redis.close()
  await using next = await join({ id: 'auth-1', redisUrl })
  await announceInTurn(3, next)
  expect(next.registry.problems()).toEqual([])
  expect(next.events).not.toContain('instance.duplicate')
})

const one = { ORIGIN: 'https://one.example', MODE: 'one' }
const other = { ORIGIN: 'https://other.example', MODE: 'one' }

test('two deployments under one prefix log each other, also with equal instance ids', async ({
  redisUrl,
}) => {
  await using first = await join({ id: 'auth-1', redisUrl, settings: one })
  await using same = await join({ id: 'auth-1', redisUrl, settings: other })
  await announceInTurn(3, first, same)
  for (const { events } of [first, same]) {
    expect(events.filter((event) => event === 'deployment.stranger')).toHaveLength(1)
  }
})

test('two deployments under two prefixes are not logged', async ({ redisUrl }) => {
  await using first = await join({ id: 'auth-1', redisUrl, settings: one, prefix: 'one' })
  await using second = await join({ id: 'auth-1', redisUrl, settings: other, prefix: 'other' })
  await announceInTurn(3, first, second)
  for (const { registry, events } of [first, second]) {
    expect(await registry.instances()).toHaveLength(1)
    expect([registry.problems(), events]).toEqual([[], []])
  }
})
