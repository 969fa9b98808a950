import { afterEach, expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { connectRedis, type RedisConnection } from './connect.ts'
import { checkEvictionPolicy } from './eviction-policy.ts'

let redis: RedisConnection

async function connect(url: string) {
  redis = connectRedis({ url, name: 'test' })
  await redis.ready()
}

afterEach(() => redis.close())

test('the policy noeviction is safe, and any other one is unsafe', async ({ ownValkey }) => {
  await connect(ownValkey.url)
  expect(await checkEvictionPolicy(redis)).toEqual({ outcome: 'safe' })
  for (const policy of ['allkeys-lru', 'volatile-ttl', 'allkeys-random']) {
    await redis.client.config('SET', 'maxmemory-policy', policy)
    expect(await checkEvictionPolicy(redis)).toEqual({ outcome: 'unsafe', policy })
  }
})

test('the policy is unknown when CONFIG is not permitted', async ({ ownValkey }) => {
  const admin = new Redis(ownValkey.url)
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-config')
  await admin.quit()
  const url = new URL(ownValkey.url)
  await connect(`redis://app:secret@${url.host}`)
  expect(await checkEvictionPolicy(redis)).toEqual({
    outcome: 'unknown',
    reason: expect.stringContaining('NOPERM'),
  })
})

test('the policy is unknown while the server hangs', async ({ ownValkey }) => {
  await connect(ownValkey.url)
  await ownValkey.pause()
  const unknown = { outcome: 'unknown', reason: expect.any(String) }
  expect(await checkEvictionPolicy(redis)).toEqual(unknown)
})
