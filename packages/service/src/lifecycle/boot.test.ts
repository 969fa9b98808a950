import { connect, createServer } from 'node:net'
import { connectRedis } from '@repo/redis'
import { describe, expect, freePort, type Replica, test, until } from '@repo/testing'
import { ask, open, talk } from '../http.fixture.ts'
import { program, runToEnd, settingsFor } from '../process.fixture.ts'

const REQUEST_ID = /^[0-9a-f-]{36}$/

async function statusOf(replica: Replica, path: string): Promise<number> {
  return (await ask(replica.url + path)).status
}

async function healthOf(replica: Replica) {
  const { status, body } = await ask(`${replica.url}/health`)
  const health: { status: string; drift?: string[] } = JSON.parse(body)
  return { ...health, code: status }
}

// These tests mostly wait, so they run at the same time.
describe.concurrent('an instance that starts', () => {
  test('an instance is live at once, and ready when start() is done', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), START: 'when released' }
    const [replica] = await replicas(1, { program, env, ready: '/livez' })
    expect(await statusOf(replica!, '/livez')).toBe(200)
    expect(await statusOf(replica!, '/readyz')).toBe(503)
    expect(await healthOf(replica!)).toMatchObject({ code: 503, status: 'unhealthy' })
    const early = await ask(`${replica!.url}/hello`)
    expect(early).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(JSON.parse(early.body)).toMatchObject({ type: 'urn:threefold:problem:starting' })

    await replica!.call('release', 'start')
    await until(async () => (await statusOf(replica!, '/readyz')) === 200)
    expect(await ask(`${replica!.url}/hello`)).toMatchObject({ status: 200, body: 'hello' })
    // A check can miss its deadline on a busy machine, so it is repeated.
    await until(async () => (await healthOf(replica!)).status === 'healthy')
    expect(await healthOf(replica!)).toEqual({
      code: 200,
      status: 'healthy',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      instance: 'replica-1',
      version: '1.2.3',
      services: { redis: 'healthy' },
    })
  })

  test('a request that is sent before start() is done waits, and is then served', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), START: 'when released' }
    const [replica] = await replicas(1, { program, env, ready: '/livez' })
    const early = ask(`${replica!.url}/hello`)
    // The instance counts the request when it has arrived.
    await until(async () => {
      const { body } = await ask(`${replica!.url}/metrics`)
      return /^threefold_http_requests_in_flight\S* 1$/m.test(body)
    })
    await replica!.call('release', 'start')
    expect(await early).toMatchObject({ status: 200, body: 'hello' })
  })

  test('an instance that is stopped during start() exits 0 and is never ready', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), START: 'when released' }
    const [replica] = await replicas(1, { program, env, ready: '/livez' })
    // A silent connection delays the drain by a second, in which start() ends.
    await open(replica!.url)
    const ended = replica!.terminate()
    await until(() => replica!.output().includes('"event":"drain"'), { everyMs: 1 })
    await replica!.call('release', 'start').catch(() => 'gone already')
    expect(await ended).toBe(0)
    expect(replica!.output()).not.toContain('"event":"ready"')
  })

  test('a start() that an outage ended is repeated after its resources are closed', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), START: 'third time' }
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    const lines = replica!.lines().map((line): Record<string, unknown> => JSON.parse(line))
    const events = lines.map(({ event }) => event)
    expect(events.filter((event) => event === 'start.failed' || event === 'released')).toEqual([
      'start.failed',
      'released',
      'start.failed',
      'released',
    ])
    // The figures of the failed starts are removed, so no number is added up or appears twice.
    const { body } = await ask(`${replica!.url}/metrics`)
    expect(body.match(/^threefold_fixture_total\{.*$/gm)).toEqual([expect.stringMatching(/ 1$/)])
    expect(await replica!.terminate()).toBe(0)
    expect(replica!.output().match(/"event":"released"/g)).toHaveLength(2)
  })

  test('an instance boots without Redis, degraded, and is announced after Redis recovers', async ({
    replicas,
    ownValkey,
  }) => {
    await ownValkey.kill()
    const env = settingsFor(ownValkey.url)
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    expect(await ask(`${replica!.url}/hello`)).toMatchObject({ status: 200 })
    const away = { code: 200, status: 'degraded', services: { redis: 'unhealthy' } }
    expect(await healthOf(replica!)).toMatchObject(away)

    await ownValkey.restart()
    await until(async () => (await ask(`${replica!.url}/instances`)).body.includes('"replica-1"'))
    await until(async () => (await healthOf(replica!)).status === 'healthy')
  })
})

describe.concurrent('an instance that cannot start', () => {
  test('an instance prints all faults of its settings and exits 78 before it listens', async () => {
    const { code, stdout, stderr } = await runToEnd({ PORT: 'eighty', SECRET: 'hunter2' })
    expect(code).toBe(78)
    expect(stdout).toBe('')
    expect(stderr.split('\n').filter(Boolean)).toEqual([
      'The configuration has 4 fault(s):',
      expect.stringMatching(/^ {2}PORT: /),
      '  REDIS_URL: is not set',
      '  ORIGIN: is not set',
      expect.stringMatching(/^ {2}SECRET: must have at least 32 characters/),
    ])
    expect(stderr).not.toMatch(/eighty|hunter2/)
  })

  test('an instance prints its settings with --settings, without any of them set', async () => {
    const { code, stdout } = await runToEnd({}, ['--settings'])
    const settings: { name: string }[] = JSON.parse(stdout)
    expect(code).toBe(0)
    expect(settings.map(({ name }) => name)).toEqual(expect.arrayContaining(['PORT', 'SECRET']))
  })

  test('an instance prints a port in use in one line and exits 1', async ({ redisUrl }) => {
    const PORT = String(await freePort())
    const squatter = createServer().listen(Number(PORT), '127.0.0.1')
    const env = { ...settingsFor(redisUrl), PORT, INSTANCE_ID: 'auth-1' }
    expect(await runToEnd(env)).toMatchObject({
      code: 1,
      stderr: `auth-1: cannot listen: listen EADDRINUSE: address already in use 127.0.0.1:${PORT}\n`,
    })
    squatter.close()
  })

  test('an instance prints the reason of a failed start() in one line and exits 1', async ({
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), PORT: '0', INSTANCE_ID: 'auth-1', START: 'never' }
    const { code, stdout, stderr } = await runToEnd(env)
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'auth-1: cannot start: no such table\n' })
    expect(stdout).toContain('"event":"boot.failed"')
  })

  test('a Redis that evicts keys is refused at boot, and degraded when it begins to evict later', async ({
    replicas,
    ownValkey,
  }) => {
    const redis = connectRedis({ url: ownValkey.url, name: 'test' })
    await redis.ready()
    const env = settingsFor(ownValkey.url)
    const [running] = await replicas(1, { program, env, ready: '/readyz' })
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru')

    const refused = await runToEnd({ ...env, PORT: '0', INSTANCE_ID: 'auth-1' })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toBe(
      'auth-1: Redis cannot be used: maxmemory-policy is allkeys-lru; set it to noeviction, or state is lost\n',
    )
    expect(await healthOf(running!)).toMatchObject({
      code: 200,
      status: 'degraded',
      services: { redis: 'unhealthy' },
    })
    // The policy is checked again at the next connection, and then logged.
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'NORMAL', 'SKIPME', 'yes')
    await until(() => running!.output().includes('"event":"redis.policy"'))
    await redis.close()
  })
})

test('an instance names itself in each response, logs one line for each request, and has metrics', async ({
  replicas,
  redisUrl,
}) => {
  const env = settingsFor(redisUrl)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  const paths = ['/livez', '/readyz', '/health', '/api/health', '/metrics', '/hello', '/nowhere']
  for (const path of paths) {
    const { headers } = await ask(replica!.url + path, { headers: { cookie: 'hunter2' } })
    expect(headers['x-instance-id']).toBe('replica-1')
    expect(headers['x-request-id']).toMatch(REQUEST_ID)
  }
  expect(await ask(`${replica!.url}/metrics`, { method: 'POST' })).toMatchObject({ status: 404 })

  const metrics = await ask(`${replica!.url}/metrics`)
  expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
  const samples = metrics.body.split('\n').filter((line) => line && !line.startsWith('#'))
  expect(samples.length).toBeGreaterThan(50)
  for (const sample of samples) {
    expect(sample).toMatch(
      /^[a-zA-Z_:][\w:]*\{.*instance="replica-1".*\} (-?[\d.e+-]+|Nan|\+Inf)$/i,
    )
  }
  expect(metrics.body).toMatch(/request_seconds_count\{.*route="\/hello",status_class="2xx"\} 1/)
  expect(metrics.body).toMatch(/request_seconds_count\{.*"unmatched",status_class="4xx"\} 2/)

  const requestLines = () => replica!.lines().filter((line) => line.includes('"event":"request"'))
  await until(() => requestLines().length === 3)
  expect(requestLines().map((line): unknown => JSON.parse(line))).toMatchObject([
    { path: '/hello', status: 200 },
    { path: '/nowhere', status: 404 },
    { path: '/metrics', method: 'POST', status: 404 },
  ])
  for (const line of replica!.lines()) {
    expect(JSON.parse(line)).toMatchObject({
      app: 'fixture',
      instance: 'replica-1',
      version: '1.2.3',
    })
  }
  expect(requestLines().every((line) => /"request":"[0-9a-f-]{36}"/.test(line))).toBe(true)
  expect(replica!.output()).not.toContain('hunter2')
  expect(replica!.output()).not.toContain(env.SECRET)
})

test('an instance logs a defect outside of a request, drains and exits 1', async ({
  replicas,
  redisUrl,
}) => {
  const env = settingsFor(redisUrl)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  const slow = ask(`${replica!.url}/slow`)
  await until(async () => (await replica!.call<number>('slow')) === 1)
  await replica!.call('crash')
  await until(() => replica!.output().includes('"event":"drain"'))
  await replica!.call('release', 'slow')
  expect(await slow).toMatchObject({ status: 200, body: 'slow' })
  expect(await replica!.exited).toEqual({ code: 1, signal: null })
  expect(replica!.output()).toContain('"level":"fatal"')
  const plain = replica!.lines().filter((line) => !line.startsWith('{'))
  expect(plain).toEqual(['replica-1: an unhandled error: out of nowhere'])
})

test('rejections, errors of sockets and exceptions of one request are counted and end no instance', async ({
  replicas,
  redisUrl,
}) => {
  const env = settingsFor(redisUrl)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  await replica!.call('reject')
  // Errors of a socket, of a PostgreSQL that became read-only, and of Node.js.
  for (const code of ['ECONNRESET', '25006', 'ERR_INVALID_CHAR']) await replica!.call('lose', code)
  expect(await ask(`${replica!.url}/crash`)).toMatchObject({ status: 500 })

  const { body } = await ask(`${replica!.url}/metrics`)
  expect(body).toMatch(/unhandled_errors_total\{kind="rejection",\S+\} 1\n/)
  expect(body).toMatch(/unhandled_errors_total\{kind="exception",\S+\} 4\n/)
  expect(await statusOf(replica!, '/readyz')).toBe(200)
  expect(replica!.output()).toContain('rejected in the background')
  expect(await replica!.terminate()).toBe(0)
})

test('the output of a library is logged as one line of JSON', async ({ replicas, redisUrl }) => {
  const env = settingsFor(redisUrl)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  await replica!.call('print', 'two\nlines')
  const line = await until(() => replica!.lines().find((each) => each.includes('two')))
  expect(JSON.parse(line)).toMatchObject({
    level: 'error',
    event: 'console',
    msg: "two\nlines { in: 'a library' }",
  })
})

test('malformed HTTP does not end an instance', async ({ replicas, redisUrl }) => {
  const env = settingsFor(redisUrl)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  const { port } = new URL(replica!.url)
  const bytes = [
    '\0\0\0',
    'GET / HTTP/9.9\r\n\r\n',
    '\x16\x03\x01\x02\x00',
    'GET constructor HTTP/1.1\r\n\r\n',
  ]
  for (const each of bytes) {
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write(each, () => socket.resetAndDestroy()),
    )
    await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve))
  }
  expect(await statusOf(replica!, '/readyz')).toBe(200)
  const request = 'GET constructor HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  expect(await talk(replica!.url, request)).toMatch(/^HTTP\/1.1 [45]\d\d /)
})
