import { awakeMs, afterEach, expect, test, until } from '@repo/testing'
import { connectRedis, type ConnectOptions, type RedisConnection } from './connect.ts'
import { RedisError } from './errors.ts'

const DEADLINE_MS = 250
/** The time that a busy machine can add to a timer. */
const SLACK_MS = 200

let open: RedisConnection[] = []

afterEach(async () => {
  await Promise.all(open.map((redis) => redis.close()))
  open = []
})

function connect(url: string, options: Partial<ConnectOptions> = {}): RedisConnection {
  const redis = connectRedis({ url, name: 'test-1', deadlineMs: DEADLINE_MS, ...options })
  open.push(redis)
  return redis
}

async function connected(url: string, options?: Partial<ConnectOptions>) {
  const redis = connect(url, options)
  await redis.ready()
  await redis.call((client) => client.ping())
  return redis
}

/** How a command ended, and after how long. */
async function timed(redis: RedisConnection) {
  const startedMs = awakeMs()
  const outcome = await redis
    .call((client) => client.incr('counter'))
    .then(
      () => 'answered',
      (error: unknown) => (error instanceof RedisError ? error.code : error),
    )
  return { outcome, ms: awakeMs() - startedMs }
}

/** 20 calls fail, and the quickest within 5 ms: the machine may pause during any one of them. */
async function failsAtOnce(redis: RedisConnection) {
  let leastMs = Infinity
  for (let i = 0; i < 20; i += 1) {
    const { outcome, ms } = await timed(redis)
    expect(outcome).toBe('unavailable')
    leastMs = Math.min(leastMs, ms)
  }
  expect(leastMs).toBeLessThan(5)
}

async function heals(redis: RedisConnection) {
  await until(() => redis.call((client) => client.ping()), { message: 'Redis answers again' })
  expect(redis.breaker.state).toBe('closed')
}

test('a server that hangs delays three calls by at most their deadline, and later calls not, until it recovers', async ({
  ownValkey,
}) => {
  const redis = await connected(ownValkey.url)
  await ownValkey.pause()
  for (let i = 0; i < 3; i += 1) {
    const { outcome, ms } = await timed(redis)
    expect(outcome).toBe('timeout')
    expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
  }
  await failsAtOnce(redis)
  ownValkey.resume()
  await heals(redis)
})

// ioredis batches a command behind the batch that has no answer yet, and starts its commandTimeout
// only then: the second call took up to twice its deadline.
test('a call to a server that hangs does not wait for the deadline of an earlier one', async ({
  ownValkey,
}) => {
  const redis = await connected(ownValkey.url)
  await ownValkey.pause()
  const first = timed(redis)
  await until(() => redis.client.commandQueue.length > 0)
  const ends = await Promise.all([first, timed(redis), timed(redis)])
  for (const { outcome, ms } of ends) {
    expect(outcome).toBe('timeout')
    expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
  }
})

test('close() resolves although the server hangs', async ({ ownValkey }) => {
  const redis = await connected(ownValkey.url)
  await ownValkey.pause()
  const startedMs = awakeMs()
  await redis.close()
  expect(awakeMs() - startedMs).toBeLessThan(DEADLINE_MS + SLACK_MS)
  await until(() => redis.client.status === 'end')
})

test('ready() rejects in time when the server hangs', async ({ ownValkey }) => {
  await ownValkey.pause()
  const redis = connect(ownValkey.url)
  const startedMs = awakeMs()
  await expect(redis.ready(300)).rejects.toMatchObject({ code: 'unavailable' })
  expect(awakeMs() - startedMs).toBeLessThan(300 + SLACK_MS)
})

test('a killed server is unavailable at once, logged once, and used again after its restart', async ({
  ownValkey,
}) => {
  const lines: string[] = []
  const log = {
    info: (_: object, message: string) => lines.push(message),
    warn: (_: object, message: string) => lines.push(message),
  }
  const redis = await connected(ownValkey.url, { log })
  await ownValkey.kill()
  await until(() => redis.client.status === 'reconnecting')
  await failsAtOnce(redis)
  await until(() => lines.length > 0)
  await ownValkey.restart()
  await heals(redis)
  expect(lines).toEqual(['Redis is unavailable', 'Redis is available again'])
})

test('a command in flight on a server that is killed has an unknown outcome', async ({
  ownValkey,
}) => {
  const redis = await connected(ownValkey.url)
  await ownValkey.pause()
  const onItsWay = [timed(redis), timed(redis)]
  await until(() => redis.client.commandQueue.length > 0)
  await ownValkey.kill()
  const ends = await Promise.all(onItsWay)
  expect(ends.map(({ outcome }) => outcome)).toEqual(['timeout', 'timeout'])
})

test('ready() rejects in time with the reason when the server is killed', async ({ ownValkey }) => {
  await ownValkey.kill()
  const redis = connect(ownValkey.url)
  const refused = { code: 'unavailable', cause: { code: 'ECONNREFUSED' } }
  await expect(redis.ready(300)).rejects.toMatchObject(refused)
})

test('a call on a half-open connection ends within its deadline, and the connection recovers', async ({
  redisUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: redisUrl })
  const redis = await connected(proxy.url)
  proxy.halfOpen()
  const calls = Array.from({ length: 50 }, () => timed(redis))
  for (const { outcome, ms } of await Promise.all(calls)) {
    expect(outcome).toBe('timeout')
    expect(ms).toBeLessThan(DEADLINE_MS + SLACK_MS)
  }
  await proxy.heal()
  await heals(redis)
})

test('a call before the connection is established is unavailable at once', async ({ redisUrl }) => {
  const { outcome } = await timed(connect(redisUrl))
  expect(outcome).toBe('unavailable')
})

test('a call after close() is unavailable', async ({ redisUrl }) => {
  const redis = await connected(redisUrl)
  await redis.close()
  await until(() => redis.client.status === 'end')
  expect((await timed(redis)).outcome).toBe('unavailable')
})

test('a refused call fails with the reply of the server, and the other calls of its batch succeed', async ({
  redisUrl,
}) => {
  const redis = await connected(redisUrl)
  const [before, refused, after] = await Promise.allSettled([
    redis.call((client) => client.set('text', 'a')),
    redis.call((client) => client.incr('text')),
    redis.call((client) => client.get('text')),
  ])
  expect([before, after]).toMatchObject([{ value: 'OK' }, { value: 'a' }])
  expect(refused).toMatchObject({
    reason: { code: 'defect', cause: { name: 'ReplyError' } },
  })
})

test('an error of the callback is thrown unchanged, and the breaker stays closed', async ({
  redisUrl,
}) => {
  const redis = await connected(redisUrl)
  const bug = new TypeError('a bug')
  const call = () =>
    redis.call(() => {
      throw bug
    })
  for (let i = 0; i < 5; i += 1) await expect(call()).rejects.toBe(bug)
  expect(redis.breaker.state).toBe('closed')
})

test('close() waits for the replies of commands in flight', async ({ redisUrl }) => {
  const redis = await connected(redisUrl)
  const answers = Array.from({ length: 100 }, () => redis.call((client) => client.incr('last')))
  // In the same tick: ioredis has written none of them yet.
  await redis.close()
  expect(await Promise.all(answers)).toContain(100)
})

test('the server lists the connection with the name of the instance', async ({ redisUrl }) => {
  const redis = await connected(redisUrl, { name: 'gateway-3' })
  expect(await redis.call((client) => client.client('LIST'))).toContain('name=gateway-3')
})
