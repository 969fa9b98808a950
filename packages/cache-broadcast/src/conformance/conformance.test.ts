import { randomUUID } from 'node:crypto'
import { startValkey } from '@repo/embedded'
import { connectRedis } from '@repo/redis'
import { afterAll, beforeAll, expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { createBus } from '../bus/bus.ts'
import { createMemoryBus } from '../bus/memory-bus.ts'
import { describeConformance } from './conformance.ts'

let url = ''
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  const valkey = await startValkey()
  closing.push(() => valkey.stop())
  url = valkey.url
})

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
})

describeConformance('memory', async () => createMemoryBus())

async function openRedis() {
  const redis = connectRedis({ url, name: 'conformance' })
  await redis.ready()
  closing.push(() => redis.close())
  return createBus({ redis, name: randomUUID(), instance: 'one', maxStaleMs: 300 })
}

/** Takes from the user of Redis the right to every key. */
async function refuse() {
  const admin = new Redis(url)
  await admin.call('ACL', 'SETUSER', 'default', 'resetkeys')
  return async () => {
    await admin.call('ACL', 'SETUSER', 'default', 'allkeys')
    admin.disconnect()
  }
}

describeConformance('Redis', openRedis, refuse)

test('the memory driver refuses to serve several instances', () => {
  expect(() => createMemoryBus({ replicas: 3 })).toThrow(
    expect.objectContaining({ code: 'single-instance' }),
  )
})
