import { connectRedis } from '@repo/redis'
import { expect, until } from '@repo/testing'
import { checkBus } from './index.ts'
import { test } from './open.fixture.ts'

test('the check of a bus fails while its user may not subscribe, and passes again after that', async ({
  ownValkey: { url },
  join,
}) => {
  const { bus, redis } = await join(url, 'one')
  await checkBus(bus)
  await redis.client.call('ACL', 'SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all')
  const admin = connectRedis({ url: url.replace('//', '//admin:admin@'), name: 'admin' })
  await admin.ready()
  await admin.client.call('ACL', 'SETUSER', 'default', '-ssubscribe')
  await admin.client.call('CLIENT', 'KILL', 'USER', 'default')
  // Until its connection is seen to be closed, the bus counts as joined.
  await until(() => bus.health().leaseMsLeft === 0, { everyMs: 1 })
  await expect(checkBus(bus)).rejects.toMatchObject({ code: 'unavailable' })
  await admin.client.call('ACL', 'SETUSER', 'default', '+ssubscribe')
  await until(() =>
    checkBus(bus).then(
      () => true,
      () => false,
    ),
  )
  await admin.close()
})
