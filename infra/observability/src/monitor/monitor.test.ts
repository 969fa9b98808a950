import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { expect, freePort, test, until } from '@repo/testing'
import { monitor } from './monitor.ts'
import { parseMonitorOptions } from './options.ts'
import { fineReading, startSite } from './site.fixture.ts'
import { tableOf, verdictsOf } from './verdicts.ts'

const env = { MONITOR_EMAIL: 'a@example.test', MONITOR_PASSWORD: 'secret-of-a' }

async function run(
  args: string[],
  signal = new AbortController().signal,
  settings: Record<string, string> = env,
) {
  const [out, errors]: [string[], string[]] = [[], []]
  const code = await monitor(args, {
    env: settings,
    out: (text) => out.push(text),
    error: (text) => errors.push(text),
    signal,
  })
  return { code, out: out.join(''), errors: errors.join('') }
}

test('a reading within all thresholds is a table and exit code 0, and its session is ended', async () => {
  await using site = await startSite()
  const { code, out } = await run([site.origin])
  expect(code).toBe(0)
  expect(out).toMatch(/cache hit rate +98 % +>= 90 % +ok/)
  expect(out).toContain('All thresholds hold.')
  expect(out).toContain('figures since the start of the instances')
  expect(site.requests).toEqual([
    'POST /api/auth/sign-in/email',
    'GET /api/observability',
    'GET /api/cluster',
    'POST /api/auth/sign-out',
  ])
})

test.for([
  ['cache hit rate', (r) => (r.figures.authentication.validations.cacheHitRate = 89.9)],
  ['queries of sessions an hour', (r) => (r.figures.authentication.costs.queriesPerHour = 1_001)],
  ['average time of a check', (r) => (r.figures.authentication.validations.averageTimeMs = 51)],
  ['checks without a result', (r) => (r.figures.authentication.validations.failures = 11)],
  ['cache backend', (r) => (r.figures.validationCache.backend = 'in-memory')],
  ['source of the figures', (r) => (r.figures.scope = 'instance')],
  ['deleted users detected an hour', (r) => (r.figures.authentication.users.deletedDetected = 21)],
  ['auth-1', (r) => (r.instances[0]!.instance.ready = false)],
  ['auth-1', (r) => (r.instances[0]!.instance.drift = ['ORIGIN'])],
  [
    'auth-1',
    (r) => (r.instances[0]!.health = { status: 'degraded', problems: ['OOM'], drift: [] }),
  ],
] satisfies [string, (reading: ReturnType<typeof fineReading>) => unknown][])(
  'the threshold of "%s" is crossed by a value beyond it, and no other is',
  ([figure, change]) => {
    const reading = fineReading()
    expect(verdictsOf(reading).filter(({ isCrossed }) => isCrossed)).toEqual([])
    change(reading)
    const crossed = verdictsOf(reading).filter(({ isCrossed }) => isCrossed)
    expect(crossed.map((verdict) => verdict.figure)).toEqual([figure])
    expect(tableOf(crossed)).toContain('CROSSED')
  },
)

test('a rate of less than 100 checks, or an hourly number of a few minutes, crosses no threshold, and the limit of queries grows with the users', () => {
  const few = fineReading()
  few.figures.authentication.validations = {
    ...few.figures.authentication.validations,
    total: 99,
    cacheHitRate: 10,
    averageTimeMs: 51,
  }
  const young = fineReading()
  young.figures.authentication.uptime.hours = 0.1
  young.figures.authentication.costs.queriesPerHour = 5_000
  const many = fineReading()
  many.figures.authentication.users.activeCount = 3_000
  many.figures.authentication.costs.queriesPerHour = 3_000
  for (const reading of [few, young, many]) {
    expect(verdictsOf(reading).filter(({ isCrossed }) => isCrossed)).toEqual([])
  }
})

test('an instance whose port is unreachable from here has the state of the registry', async () => {
  await using site = await startSite()
  const { out } = await run([site.origin, '--json'])
  const { verdicts } = JSON.parse(out)
  expect(verdicts.at(-1)).toMatchObject({ figure: 'auth-1', value: 'ready', isCrossed: false })
})

function respond(path: string, status: number, headers: Record<string, string> = {}, body = '') {
  return (req: IncomingMessage, res: ServerResponse) => {
    if (req.url !== path) return false
    res.writeHead(status, headers).end(body)
    return true
  }
}

test.for([
  { at: '/api/auth/sign-in/email', status: 401, text: 'check MONITOR_EMAIL and MONITOR_PASSWORD' },
  { at: '/api/auth/sign-in/email', status: 403, text: 'use the origin that users type' },
  {
    at: '/api/auth/sign-in/email',
    status: 429,
    headers: { 'retry-after': '7' },
    text: 'again in 7 s',
  },
  {
    at: '/api/auth/sign-in/email',
    status: 308,
    headers: { location: 'https://a.test/' },
    text: 'redirects to https://a.test/',
  },
  { at: '/api/observability', status: 403, text: 'a@example.test is not an administrator' },
  { at: '/api/observability', status: 503, text: 'a store or every instance is unavailable' },
  { at: '/api/observability', status: 200, body: '<html>', text: 'is not the document' },
  { at: '/api/cluster', status: 200, body: '{"instances":[{}]}', text: 'is not the document' },
])(
  '$at with $status is exit code 2 and one line: $text',
  async ({ at, status, headers, body, text }) => {
    await using site = await startSite(respond(at, status, headers, body))
    const { code, out, errors } = await run([site.origin])
    expect([code, out]).toEqual([2, ''])
    expect(errors).toContain(text)
    expect(errors.trim().split('\n')).toHaveLength(1)
    expect(errors).not.toContain('secret-of-a')
  },
)

test('a site that cannot be reached is exit code 2, in JSON too', async () => {
  const origin = `http://127.0.0.1:${await freePort()}`
  expect(await run([origin])).toMatchObject({
    code: 2,
    errors: expect.stringContaining('ECONNREFUSED'),
  })
  const { code, out } = await run([origin, '--json'])
  expect([code, JSON.parse(out)]).toMatchObject([
    2,
    { origin, error: expect.stringContaining('cannot be reached') },
  ])
})

test('--watch reads again until it is stopped, signs in again when its session has ended, and returns the last code', async () => {
  let readings = 0
  await using site = await startSite((req, res) => {
    if (req.url !== '/api/observability') return false
    readings += 1
    if (readings !== 2) return false
    res.writeHead(401).end()
    return true
  })
  const stopping = new AbortController()
  const running = run([site.origin, '--watch', '1'], stopping.signal)
  await until(() => site.requests.filter((line) => line === 'GET /api/cluster').length >= 2)
  stopping.abort()
  expect((await running).code).toBe(0)
  expect(site.requests.filter((line) => line.includes('sign-in'))).toHaveLength(2)
})

test('--watch prints the figures since the reading before, and those since the start after a reset', async () => {
  let readings = 0
  await using site = await startSite((req, res) => {
    if (req.url !== '/api/observability') return false
    const { figures } = fineReading()
    const { authentication } = figures
    const { uptime, validations } = authentication
    uptime.milliseconds += readings * 1_000
    validations.total += readings * 200
    if (readings >= 3) uptime.startTime = '2026-11-30T02:00:00.000Z'
    readings += 1
    res.end(JSON.stringify(figures))
    return true
  })
  const stopping = new AbortController()
  const running = run([site.origin, '--watch', '1', '--json'], stopping.signal)
  await until(() => readings >= 4)
  stopping.abort()
  const { out } = await running
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.slice(0, 4).map(({ seconds, crossed }) => [seconds, crossed])).toEqual([
    [null, 0],
    [1, 1],
    [1, 1],
    [null, 0],
  ])
  expect(lines[1].verdicts[0]).toMatchObject({ figure: 'cache hit rate', value: '0 %' })
})

test.for([
  { args: [], reason: 'the origin of the site is missing' },
  { args: ['shop.example.com'], reason: 'is no origin' },
  { args: ['https://shop.example.com/path'], reason: 'is no origin' },
  { args: ['https://user:secret@a.test'], reason: 'is no origin' },
  { args: ['ftp://shop.example.com'], reason: 'is no origin' },
  { args: ['https://a.test', '5'], reason: '"5" is no option' },
  { args: ['https://a.test', '--watch', '0'], reason: 'must be a number of seconds' },
  { args: ['https://a.test', '--watch', 'x'], reason: 'must be a number of seconds' },
  { args: ['https://a.test', '--every', '5'], reason: "Unknown option '--every'" },
])('the arguments $args are refused with exit code 64: $reason', async ({ args, reason }) => {
  const { code, errors } = await run(args)
  expect(code).toBe(64)
  expect(errors).toContain(reason)
})

test.for([
  ['http://127.0.0.1:80', 'http://127.0.0.1'],
  ['https://Shop.Example.com/', 'https://shop.example.com'],
] as const)('%s is the origin %s', ([text, origin]) => {
  expect(parseMonitorOptions([text], env)).toMatchObject({ outcome: 'run', options: { origin } })
})

test('an output that nobody reads is exit code 2', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), '--help'])
  child.stdout.destroy()
  expect(await once(child, 'exit')).toEqual([2, null])
})

test('without the sign-in of an administrator, the settings are named', async () => {
  expect(parseMonitorOptions(['https://a.test'], {})).toEqual({
    outcome: 'invalid',
    reason: 'MONITOR_EMAIL and MONITOR_PASSWORD must be the sign-in of an administrator',
  })
  expect((await run(['--help'])).out).toContain('Usage: pnpm monitor <origin>')
})
