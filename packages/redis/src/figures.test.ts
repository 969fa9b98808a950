import { createHistogram, createMetrics } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { connectRedis } from './connect.ts'
import { redisFigures } from './figures.ts'

/** Connects, and returns a function that reads a number from a scrape: `connected`, `failed_calls_total{code="timeout"`. */
async function connect(url: string, deadlineMs = 200) {
  const redis = connectRedis({ url, name: 'test-1', deadlineMs })
  await redis.ready()
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(redisFigures(redis, createHistogram))
  async function read(series: string): Promise<number> {
    const lines = (await metrics.registry.metrics()).split('\n')
    const [name = '', label = ''] = series.split('{')
    const line = lines.find(
      (each) => each.startsWith(`threefold_redis_${name}{`) && each.includes(label),
    )
    expect(line).toContain('connection="shared"')
    return Number(line?.split(' ').at(-1))
  }
  const { client, breaker } = redis
  const call = (command: () => Promise<unknown>) => redis.call(command)
  return { client, breaker, call, read, [Symbol.asyncDispose]: () => redis.close() }
}

test('each call is counted once with its time, and a command of the client itself is not', async ({
  ownValkey,
}) => {
  await using redis = await connect(ownValkey.url, 10_000)
  const { client, call, read } = redis
  await Promise.all([call(() => client.set('a', '1')), call(() => client.get('a'))])
  await client.get('a')
  expect(await read('command_seconds_count')).toBe(2)
  // The server executes the second command 100 ms after the first one.
  const paused = client.call('CLIENT', 'PAUSE', '100', 'ALL')
  await Promise.all([paused, call(() => client.get('a'))])
  expect(await read('command_seconds_count')).toBe(3)
  expect(await read('command_seconds_bucket{le="+Inf"')).toBe(3)
  expect(await read('command_seconds_sum')).toBeGreaterThan(0.09)
  await expect(call(() => client.call('NO-SUCH-COMMAND'))).rejects.toMatchObject({
    code: 'rejected',
  })
  expect(await read('command_seconds_count')).toBe(4)
  expect(await read('failed_calls_total{code="rejected"')).toBe(1)
})

test('while the server hangs, calls are timed until their deadline and the breaker is open', async ({
  ownValkey,
}) => {
  await using redis = await connect(ownValkey.url)
  const { client, call, read } = redis
  expect(await read('breaker_open')).toBe(0)
  await ownValkey.pause()
  await until(async () => {
    await call(() => client.ping()).catch(() => 'late')
    return redis.breaker.state === 'open'
  })
  expect(await read('breaker_open')).toBe(1)
  const late = await read('failed_calls_total{code="timeout"')
  expect(late).toBeGreaterThan(0)
  // A call that the open breaker refuses is no command, so it has no time.
  const before = await read('command_seconds_count')
  await expect(call(() => client.ping())).rejects.toMatchObject({ code: 'unavailable' })
  expect(await read('command_seconds_count')).toBe(before)
  expect(await read('command_seconds_sum')).toBeGreaterThan(late * 0.19)
  ownValkey.resume()
  await until(async () => {
    await call(() => client.ping()).catch(() => 'late')
    return (await read('breaker_open')) === 0
  })
})

test('a lost connection is a zero in the scrape, and its replacement is one reconnect', async ({
  ownValkey,
}) => {
  await using redis = await connect(ownValkey.url)
  const { read } = redis
  expect(await read('connected')).toBe(1)
  expect(await read('reconnects_total')).toBe(0)
  await ownValkey.kill()
  await until(async () => (await read('connected')) === 0)
  await ownValkey.restart()
  await until(async () => (await read('connected')) === 1)
  expect(await read('reconnects_total')).toBe(1)
})
