import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test, until } from '@repo/testing'
import type { Competed, Competition, Opening } from './holder.fixture.ts'
import { original } from './mutants.fixture.ts'

const program = new URL('holder.fixture.ts', import.meta.url)
/** `pnpm race` sets it. Each round is about a second. */
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 8)
const CLIENTS = 20
/** No claim of a living holder ends with its lease. */
const LEASE_MS = 600_000

test(
  `in ${ROUNDS} rounds of pauses, cuts and lost bytes at random moments, three processes run each key once, and all clients receive the same bytes`,
  { timeout: 120_000 + ROUNDS * 20_000 },
  async ({ ownValkey, tcpProxy, replicas }) => {
    const proxy = await tcpProxy({ target: ownValkey.url })
    const three = await replicas(3, { program })
    const opening: Opening = { url: proxy.url, source: original, skewMs: 0, deadlineMs: 150 }
    await Promise.all(three.map((replica) => replica.call('open', opening)))

    const faults = [
      { begin: () => ownValkey.pause(), end: () => ownValkey.resume() },
      { begin: () => proxy.cut(), end: () => proxy.heal() },
      { begin: () => proxy.halfOpen(), end: () => proxy.heal() },
      { begin: () => proxy.delay(200), end: () => proxy.heal() },
    ]
    for (let round = 0; round < ROUNDS; round += 1) {
      const competition: Competition = {
        key: randomUUID(),
        leaseMs: LEASE_MS,
        clients: CLIENTS,
        workMs: Math.random() * 40,
      }
      const competing = Promise.all(
        three.map((replica) => replica.call<Competed>('compete', competition)),
      )
      const fault = faults[round % faults.length]!
      await wait(Math.random() * 60)
      await fault.begin()
      await wait(Math.random() * 1_500)
      await fault.end()
      const competed = await competing
      const executions = competed.reduce((sum, each) => sum + each.executions, 0)
      const responses = new Set(competed.flatMap((each) => each.responses))
      expect({ round, executions, responses: responses.size }).toEqual({
        round,
        executions: 1,
        responses: 1,
      })
    }
  },
)

test('a failover that loses a claim is healed by its holder, and a duplicate that arrives before runs a second time: the limit of a store in Redis alone', async ({
  ownValkey,
  redisUrl,
  tcpProxy,
  replicas,
}) => {
  const proxy = await tcpProxy({ target: ownValkey.url })
  const three = await replicas(3, { program })
  const opening: Opening = { url: proxy.url, source: original, skewMs: 0, deadlineMs: 1_000 }
  await Promise.all(three.map((replica) => replica.call('open', opening)))
  const [holder, ...others] = three
  async function failOver(target: string) {
    proxy.retarget(target)
    await proxy.cut()
    await proxy.heal()
  }
  async function compete(key: string) {
    const competition: Competition = { key, leaseMs: LEASE_MS, clients: 10, workMs: 10 }
    const competed = await Promise.all(
      others.map((each) => each.call<Competed>('compete', competition)),
    )
    return competed.reduce((sum, { executions }) => sum + executions, 0)
  }

  const healed = { key: randomUUID(), leaseMs: LEASE_MS }
  await holder!.call('hold', healed)
  // The other server has received none of the writes.
  await failOver(redisUrl)
  await until(async () => (await holder!.call('isLost')) === false)
  const competing = compete(healed.key)
  await holder!.call('complete')
  expect(await competing).toBe(0)

  const duplicated = { key: randomUUID(), leaseMs: LEASE_MS }
  await holder!.call('hold', duplicated)
  await failOver(ownValkey.url)
  expect(await compete(duplicated.key)).toBe(1)
  // The first run is refused, so all clients have one response.
  const late = await until(() => holder!.call<{ outcome: string }>('complete'))
  expect(late.outcome).toBe('completed')
})
