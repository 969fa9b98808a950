import { expect, test, type TcpProxy, type TcpProxyOptions, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { connectRedis } from '../connect.ts'
import { RedisError } from '../errors.ts'

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 12)
const CALLS = 25

interface Attempt {
  key: string
  outcome: 'answered' | 'timeout' | 'unavailable'
}

interface Contender {
  increment(key: string): Promise<Attempt['outcome']>
  /** Waits until it is connected again, so that every command that it resends is sent. */
  recovered(): Promise<unknown>
  close(): Promise<unknown>
}

interface Faults {
  proxy: TcpProxy
  /** Whether the server has executed a command of this round. */
  executed: () => Promise<boolean>
}

/** To the server through faults, and past them. */
interface Network {
  proxy: TcpProxy
  direct: Redis
}

/** Each way of losing a connection. */
const FAULTS = [
  // Executed and not answered: the one that a client must not repeat.
  async ({ proxy, executed }: Faults) => {
    await until(executed, { everyMs: 1 })
    await proxy.cut()
  },
  ({ proxy }: Faults) => proxy.cut(),
  async ({ proxy, executed }: Faults) => {
    await until(executed, { everyMs: 1 })
    proxy.halfOpen()
  },
]

/** The history of `CALLS` INCRs, each on a separate key, during one fault. */
async function attempts(round: number, contender: Contender, { proxy, direct }: Network) {
  const keys = Array.from({ length: CALLS }, (_, call) => `round:${round}:${call}`)
  const executed = async () => (await direct.exists(...keys)) > 0
  proxy.delay(15)
  const calls = keys.map(async (key) => ({ key, outcome: await contender.increment(key) }))
  await FAULTS[round % FAULTS.length]!({ proxy, executed })
  const history: Attempt[] = await Promise.all(calls)
  await proxy.heal()
  await contender.recovered()
  await contender.close()
  const values = await direct.mget(...keys)
  return history.map((attempt, index) => ({ ...attempt, executions: Number(values[index] ?? 0) }))
}

type History = Awaited<ReturnType<typeof attempts>>

/** Returns violations: a command ran twice, or its number of runs contradicts its outcome. */
function violations(history: History): History {
  const allowed = { answered: [1], timeout: [0, 1], unavailable: [0] }
  return history.filter(({ outcome, executions }) => !allowed[outcome].includes(executions))
}

async function connectOurs(url: string): Promise<Contender> {
  const redis = connectRedis({ url, name: 'test' })
  await redis.ready()
  return {
    increment: (key) =>
      redis
        .call((client) => client.incr(key))
        .then(
          () => 'answered' as const,
          (error: unknown) => {
            const code = error instanceof RedisError ? error.code : 'rejected'
            if (code === 'timeout' || code === 'unavailable') return code
            throw error
          },
        ),
    recovered: () => redis.ready(),
    close: () => redis.close(),
  }
}

/** ioredis with its defaults and a deadline. */
async function connectMutant(url: string): Promise<Contender> {
  const redis = new Redis(url, { commandTimeout: 250, enableAutoPipelining: true })
  redis.on('error', () => undefined)
  await redis.ping()
  return {
    increment: (key) =>
      redis.incr(key).then(
        () => 'answered' as const,
        () => 'timeout' as const,
      ),
    recovered: () => until(async () => redis.status === 'ready' && redis.ping()),
    close: () => redis.quit(),
  }
}

async function connectNetwork(
  target: string,
  tcpProxy: (options: TcpProxyOptions) => Promise<TcpProxy>,
) {
  const direct = new Redis(target)
  return {
    proxy: await tcpProxy({ target }),
    direct,
    [Symbol.asyncDispose]: () => direct.quit().then(() => undefined),
  }
}

test(
  `in ${ROUNDS} rounds of cut and half-open connections, no INCR of ${ROUNDS * CALLS} runs twice, and none that was unavailable runs at all`,
  { timeout: 30_000 + 1_000 * ROUNDS },
  async ({ redisUrl, tcpProxy }) => {
    await using network = await connectNetwork(redisUrl, tcpProxy)
    const history: History = []
    for (let round = 0; round < ROUNDS; round += 1) {
      history.push(...(await attempts(round, await connectOurs(network.proxy.url), network)))
    }
    expect(history).toHaveLength(ROUNDS * CALLS)
    expect(violations(history)).toEqual([])
    // The faults had an effect: commands ran without a reply.
    expect(history.some((each) => each.outcome === 'timeout' && each.executions === 1)).toBe(true)
  },
)

test('the check of resent commands detects a client that resends', async ({
  redisUrl,
  tcpProxy,
}) => {
  await using network = await connectNetwork(redisUrl, tcpProxy)
  let caught: History = []
  for (let round = 1_000; round < 1_020 && caught.length === 0; round += 1) {
    caught = violations(await attempts(round, await connectMutant(network.proxy.url), network))
  }
  expect(caught).toContainEqual(expect.objectContaining({ executions: 2 }))
})
