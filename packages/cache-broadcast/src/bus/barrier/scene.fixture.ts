import { type TcpProxy, until } from '@repo/testing'
import { Redis } from 'ioredis'
import type { createBus } from '../../index.ts'
import { type Instance, test } from '../../open.fixture.ts'
import type { Bus } from '../types.ts'

export const maxStaleMs = 1_000

export interface Scene {
  a: Instance
  b: Instance
  /** Connected by the proxy. */
  c: Instance
  proxy: TcpProxy
  admin: Redis
}

/** Past the time in which the list of members may be incomplete. */
export async function isJoined(bus: Bus, count: number): Promise<boolean> {
  const delivery = await bus.emit('ping', 1, { wait: 'everywhere' })
  return delivery.outcome === 'everywhere' && delivery.ms < 250 && delivery.acked.length === count
}

/** `test` with `scene()`: three instances on one bus, with the `createBus` of a mutant if given. */
export const scenes = test.extend('scene', async ({ ownValkey, join, tcpProxy }, { onCleanup }) => {
  const admin = new Redis(ownValkey.url)
  onCleanup(() => admin.disconnect())
  return async (create?: typeof createBus): Promise<Scene> => {
    const proxy = await tcpProxy({ target: ownValkey.url })
    const options = { maxStaleMs, deadlineMs: 2_000, ...(create && { create }) }
    const a = await join(ownValkey.url, 'a', options)
    const b = await join(ownValkey.url, 'b', options)
    const c = await join(proxy.url, 'c', options)
    await until(() => isJoined(a.bus, 3))
    return { a, b, c, proxy, admin }
  }
})
