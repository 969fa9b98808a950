import { connectRedis } from '@repo/redis'
import { expect, test } from '@repo/testing'
import { connectLimiterRedis } from '../index.ts'

test('the check of limits rejects with the error of a Redis that refuses to count', async ({
  ownValkey: { url },
}) => {
  const admin = connectRedis({ url, name: 'admin' })
  const redis = connectLimiterRedis({ url, name: 'test' })
  await Promise.all([admin.ready(), redis.ready()])
  await redis.check()
  await admin.client.config('SET', 'maxmemory', '1')
  await expect(redis.check()).rejects.toMatchObject({
    code: 'unavailable',
    cause: { message: expect.stringContaining('OOM') },
  })
  await admin.client.config('SET', 'maxmemory', '0')
  await redis.check()
  await redis.close()
  await expect(redis.check()).rejects.toMatchObject({ code: 'unavailable' })
  await admin.close()
})
