import { awakeMs, expect, test, type TcpProxy, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { connectRedis, type ConnectOptions, type RedisConnection } from '../connect.ts'
import { makeMutant, type Mutant } from '../mutants.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 40)
const CALLS = 30

interface Program {
  connectRedis(options: ConnectOptions): RedisConnection
}

interface Attempt {
  outcome: string
  executions: number
}

/** A connection, and another one that ends it as an operator or a load balancer does. */
async function open(url: string, program: Program = { connectRedis }) {
  const redis = program.connectRedis({ url, name: 'lost' })
  await redis.ready()
  const operator = new Redis(url)
  return {
    redis,
    operator,
    kill: async () => {
      const id = await until(async () => {
        const clients = String(await operator.client('LIST'))
        return /^id=(\d+) .* name=lost /m.exec(clients)?.[1]
      })
      await operator.client('KILL', 'ID', id)
    },
    async [Symbol.asyncDispose]() {
      await redis.close()
      operator.disconnect()
    },
  }
}

type Connections = Awaited<ReturnType<typeof open>>

async function increment(redis: RedisConnection, key: string): Promise<string> {
  try {
    await redis.call((client) => client.incr(key))
    return 'answered'
  } catch (error) {
    const isCoded = error instanceof Error && 'code' in error
    return isCoded ? String(error.code) : String(error)
  }
}

/** Kills the connection while `CALLS` calls are made, spread over turns of the event loop. */
async function attempts({ redis, operator, kill }: Connections, round: number): Promise<Attempt[]> {
  const keys = Array.from({ length: CALLS }, (_, i) => `lost:${round}:${i}`)
  const killed = kill()
  const calls: Promise<string>[] = []
  for (const key of keys) {
    calls.push(increment(redis, key))
    if (round % 3 > 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const ends = await Promise.all(calls)
  await killed
  // A command that a connection sends again is sent by then.
  await until(() => redis.call((client) => client.ping()))
  const counts = await operator.mget(...keys)
  return ends.map((outcome, i) => ({ outcome, executions: Number(counts[i] ?? 0) }))
}

/** The attempts that contradict the promise. */
function violations(history: Attempt[]): Attempt[] {
  const allowed: Record<string, number[]> = { answered: [1], timeout: [0, 1] }
  return history.filter(({ outcome, executions }) => !allowed[outcome]?.includes(executions))
}

async function idleLosses({ redis, kill }: Connections, rounds: number): Promise<string[]> {
  const ends: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    await kill()
    await until(() => redis.client.status !== 'ready', { everyMs: 0 })
    const calls = Array.from({ length: 5 }, () => increment(redis, 'idle'))
    ends.push(...(await Promise.all(calls)))
  }
  return ends
}

test(`none of ${ROUNDS * 5} calls on a connection that was lost while idle fails, and each is sent once`, async ({
  redisUrl,
}) => {
  await using connections = await open(redisUrl)
  const ends = await idleLosses(connections, ROUNDS)
  expect(ends.filter((end) => end !== 'answered')).toEqual([])
  expect(await connections.operator.get('idle')).toBe(String(ROUNDS * 5))
})

test('calls fail without the wait for the first attempt', async ({ redisUrl }) => {
  const { source, remove } = await makeMutant('no wait for the first attempt')
  try {
    await using connections = await open(redisUrl, await import(source))
    expect(await idleLosses(connections, 5)).toContain('unavailable')
  } finally {
    await remove()
  }
})

test(`in ${ROUNDS} losses of a connection no call runs twice, and no unwritten call fails`, async ({
  redisUrl,
}) => {
  await using connections = await open(redisUrl)
  const history: Attempt[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    history.push(...(await attempts(connections, round)))
  }
  expect(history).toHaveLength(ROUNDS * CALLS)
  expect(violations(history)).toEqual([])
})

test.for<Mutant>(['no hold of a batch', 'written commands are sent again'])(
  'the check of lost connections detects the mutation: %s',
  async (mutant, { redisUrl }) => {
    const { source, remove } = await makeMutant(mutant)
    try {
      await using connections = await open(redisUrl, await import(source))
      let caught: Attempt[] = []
      for (let round = 1_000; round < 1_200 && caught.length === 0; round += 1) {
        caught = violations(await attempts(connections, round))
      }
      expect(caught).not.toEqual([])
    } finally {
      await remove()
    }
  },
)

/** Calls on a connection whose replacement takes longer than their deadline. */
async function callsOfSlowNetwork(proxy: TcpProxy, target: string, program: Program, key: string) {
  const redis = program.connectRedis({ url: proxy.url, name: 'lost-2', deadlineMs: 100 })
  await redis.ready()
  proxy.delay(150)
  redis.client.stream.destroy()
  // Some are in the batch of the lost connection, the others wait for the next one.
  const first = [increment(redis, `${key}:0`), increment(redis, `${key}:1`)]
  await until(() => redis.client.status !== 'ready', { everyMs: 0 })
  const ends = await Promise.all([...first, increment(redis, `${key}:2`)])
  proxy.delay(0)
  await until(() => redis.call((client) => client.ping()))
  const direct = new Redis(target)
  const executed = await direct.exists(`${key}:0`, `${key}:1`, `${key}:2`)
  direct.disconnect()
  await redis.close()
  return { ends, executed }
}

test('a call on a lost connection is unavailable after a few ms when the server is unreachable', async ({
  ownValkey,
}) => {
  await using connections = await open(ownValkey.url)
  const { redis } = connections
  await ownValkey.kill()
  connections.operator.on('error', () => undefined)
  await until(() => redis.client.status !== 'ready', { everyMs: 0 })
  const startedMs = awakeMs()
  const calls = Array.from({ length: 20 }, () => increment(redis, 'killed'))
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['unavailable']))
  // Far less than the deadline, also on a busy machine.
  expect(awakeMs() - startedMs).toBeLessThan(150)
})

test('calls that wait for a slow network are unavailable at their deadline, and never run', async ({
  redisUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: redisUrl })
  expect(await callsOfSlowNetwork(proxy, redisUrl, { connectRedis }, 'cut')).toEqual({
    ends: ['unavailable', 'unavailable', 'unavailable'],
    executed: 0,
  })
  const { source, remove } = await makeMutant('a held command of a late call is sent')
  try {
    const mutant = await callsOfSlowNetwork(proxy, redisUrl, await import(source), 'mutant')
    expect(mutant.executed).toBeGreaterThan(0)
  } finally {
    await remove()
  }
})
