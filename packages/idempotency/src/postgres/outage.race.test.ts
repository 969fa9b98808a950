import { expect, type TcpProxy, until } from '@repo/testing'
import { countEffects, prepare } from './open.fixture.ts'
import type { Paid } from './payer.fixture.ts'
import {
  findFaults,
  judge,
  MODES,
  newKey,
  ONE,
  type Opened,
  payAll,
  payUntilAnswered,
  test as base,
  untilPaid,
} from './payers.fixture.ts'

/** `test` with `payBehindProxy(options)`: an instance behind a proxy whose payment waits before COMMIT. */
const test = base.extend('payBehindProxy', async ({ open, prepared, tcpProxy }) => {
  return async (options: Opened) => {
    const proxy: TcpProxy = await tcpProxy({ target: prepared })
    const urls = { databaseUrl: proxy.url, directUrl: prepared }
    const world = await open({ ...options, ...urls, count: 1 })
    const holder = world.replicas[0]!
    const key = newKey()
    const paying = holder.call<Paid>('pay', { key, stopAt: 'uncommitted' })
    await holder.call('reached')
    return { proxy, world, holder, key, paying }
  }
})

test.for(MODES)(
  'in the mode %s, each of 60 payments is made once while PostgreSQL is killed and restarted twice',
  async (mode, { open, ownPostgres }) => {
    await prepare(ownPostgres.url)
    const world = await open({ mode, databaseUrl: ownPostgres.url, deadlineMs: 1_500 })
    const keys = Array.from({ length: 60 }, newKey)
    const paying = payAll(world, { keys, clientsPerKey: 3, workMs: 300 })
    for (let restarts = 0; restarts < 2; restarts += 1) {
      await untilPaid(world, keys)
      // "immediate": no transaction is completed, and the next start recovers.
      await ownPostgres.kill('SIGQUIT')
      await ownPostgres.restart()
    }
    expect(await findFaults(world, keys, await paying)).toEqual([])
  },
)

test.for(MODES)(
  'in the mode %s, a commit whose reply is lost is answered with its payment',
  async (mode, { payBehindProxy }) => {
    const { proxy, world, holder, key, paying } = await payBehindProxy({ mode, leaseMs: 60_000 })
    proxy.delay(3_000)
    await holder.call('resume')
    await until(async () => (await countEffects(world.database, key)) === 1)
    // The proxy still holds the reply, and drops it.
    await proxy.cut()
    await proxy.heal()
    const paid = await paying
    expect(paid.outcome).toBe('fresh')
    expect(await judge(world, key, [paid])).toEqual(ONE)
  },
)

test.for(MODES)(
  'in the mode %s, a payment whose COMMIT never arrives has no response, and is made once when it is sent again',
  async (mode, { payBehindProxy }) => {
    const { proxy, world, holder, key, paying } = await payBehindProxy({ mode, deadlineMs: 1_500 })
    proxy.halfOpen()
    await holder.call('resume')
    expect(await paying).toEqual({ outcome: 'unavailable' })
    expect(await countEffects(world.database, key)).toBe(0)
    await proxy.heal()
    const paid = await payUntilAnswered(holder, { key })
    expect(await judge(world, key, [paid])).toEqual(ONE)
  },
)
