import { awakeMs, blockEventLoop, expect, test, until } from '@repo/testing'
import { connectRedis, type ConnectOptions, type RedisConnection } from '../connect.ts'
import { makeMutant } from '../mutants.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 12)
const DEADLINE_MS = 250
/** The time that a busy machine may add to a timer. */
const SLACK_MS = 200

interface Program {
  connectRedis(options: ConnectOptions): RedisConnection
}

async function open(url: string, program: Program = { connectRedis }) {
  const redis = program.connectRedis({ url, name: 'paused-1', deadlineMs: DEADLINE_MS })
  await redis.ready()
  return Object.assign(redis, { [Symbol.asyncDispose]: () => redis.close() })
}

/** Lets the event loop write the commands of this turn. */
function written(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

async function outcomes(redis: RedisConnection, count: number): Promise<string[]> {
  const calls = Array.from({ length: count }, () => redis.call((client) => client.incr('n')))
  const ends = await Promise.allSettled(calls)
  return ends.map((end) => {
    if (end.status === 'fulfilled') return 'answered'
    // A copy of the program has another class.
    return end.reason?.name === 'RedisError' ? end.reason.code : String(end.reason)
  })
}

/** The calls that failed during and after pauses of all lengths, each with calls in flight. */
async function failuresOfPauses(redis: RedisConnection, rounds: number): Promise<string[]> {
  const failures: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    const inFlight = outcomes(redis, 1 + ((round * 7) % 20))
    if (round % 3 > 0) await written()
    blockEventLoop([260, 500, 120, 800][round % 4] ?? 0)
    const ends = [...(await inFlight), ...(await outcomes(redis, 50))]
    failures.push(...ends.filter((end) => end !== 'answered'))
  }
  return failures
}

test(`in ${ROUNDS} pauses of the process, each longer or shorter than the deadline, no call fails and the breaker stays closed`, async ({
  redisUrl,
}) => {
  await using redis = await open(redisUrl)
  expect(await failuresOfPauses(redis, ROUNDS)).toEqual([])
  expect(redis.breaker.state).toBe('closed')
})

test('the check of pauses detects timers by real time', async ({ redisUrl }) => {
  const { source, remove } = await makeMutant('deadlines by real time')
  try {
    await using redis = await open(redisUrl, await import(source))
    expect(await failuresOfPauses(redis, 4)).toContain('timeout')
  } finally {
    await remove()
  }
})

test('a process that runs 20 ms of each 100 ms, as with a CPU limit, has no failure', async ({
  redisUrl,
}) => {
  await using redis = await open(redisUrl)
  const pauses: number[] = []
  const pausing = setInterval(() => {
    pauses.push(80)
    blockEventLoop(80)
  }, 100)
  try {
    while (pauses.length < 20) {
      expect(new Set(await outcomes(redis, 10))).toEqual(new Set(['answered']))
    }
  } finally {
    clearInterval(pausing)
  }
  expect(redis.breaker.state).toBe('closed')
})

test('a server that hangs fails calls within the deadline and one period, and opens the breaker', async ({
  ownValkey,
}) => {
  await using redis = await open(ownValkey.url)
  await ownValkey.pause()
  const startedMs = awakeMs()
  expect(await outcomes(redis, 10)).toEqual(Array.from({ length: 10 }, () => 'timeout'))
  expect(awakeMs() - startedMs).toBeLessThan(DEADLINE_MS + 25 + SLACK_MS)
  // Ten calls of one sweep are one round.
  expect(redis.breaker.state).toBe('closed')
  await outcomes(redis, 1)
  await outcomes(redis, 1)
  expect(redis.breaker.state).toBe('open')
  ownValkey.resume()
  await until(() => redis.call((client) => client.ping()))
  expect(redis.breaker.state).toBe('closed')
})

test('a server that hangs while the process is paused fails calls after the pause, within the deadline', async ({
  ownValkey,
}) => {
  await using redis = await open(ownValkey.url)
  await ownValkey.pause()
  const calls = outcomes(redis, 5)
  await written()
  blockEventLoop(500)
  const startedMs = awakeMs()
  expect(await calls).toEqual(Array.from({ length: 5 }, () => 'timeout'))
  expect(awakeMs() - startedMs).toBeLessThan(DEADLINE_MS + 25 + SLACK_MS)
  for (let i = 0; i < 2; i += 1) {
    const each = outcomes(redis, 1)
    blockEventLoop(300)
    await each
  }
  expect(redis.breaker.state).toBe('open')
  ownValkey.resume()
  await until(() => redis.call((client) => client.ping()))
})

test('a connection to a server that hangs is replaced, and a pause replaces none', async ({
  ownValkey,
}) => {
  await using redis = await open(ownValkey.url)
  const { stream } = redis.client
  await redis.call((client) => client.ping())
  const call = outcomes(redis, 1)
  await written()
  blockEventLoop(2_500)
  expect(await call).toEqual(['answered'])
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(redis.client.stream).toBe(stream)
  await ownValkey.pause()
  await outcomes(redis, 1)
  await until(() => stream.destroyed)
  ownValkey.resume()
  await until(() => redis.call((client) => client.ping()))
})

test('a connection is established although the process is paused during it', async ({
  redisUrl,
}) => {
  const errors: string[] = []
  for (let i = 0; i < 5; i += 1) {
    const redis = connectRedis({ url: redisUrl, name: 'paused-2' })
    redis.client.on('error', (error) => errors.push(error.message))
    await new Promise((resolve) => process.nextTick(resolve))
    blockEventLoop(i * 300)
    await redis.ready(500)
    await redis.close()
  }
  expect(errors).toEqual([])
})
