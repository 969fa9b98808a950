import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contend, expect, test, until } from '@repo/testing'
import { type Answer, ask, environment, signedIn } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'

const QUOTA = 20
const WINDOW_MS = 3_000
const program = new URL('../main.ts', import.meta.url)

function limitsOf(quota: number | string): string {
  const policies = [{ name: 'pay', quota, windowMs: WINDOW_MS, by: 'user' }]
  return JSON.stringify({ policies, routes: [{ path: '/api/payments', policies: ['pay'] }] })
}

test(`three gateways together accept ${QUOTA} of 90 requests, and the next one after Retry-After; a changed file applies to all, an invalid file to none`, async ({
  replicas,
  databaseUrl,
  ownValkey,
}) => {
  await using upstream = await serveUpstream('payments-1')
  const { cookie } = await signedIn(databaseUrl)
  const dir = await mkdtemp(join(tmpdir(), 'threefold-limits-'))
  const file = join(dir, 'limits.json')
  await writeFile(file, limitsOf(QUOTA))
  const env = {
    ...environment({ databaseUrl, redisUrl: ownValkey.url, upstream: upstream.origin }),
    LIMITS_FILE: file,
  }
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const pay = (at: number) => ask(three[at % 3]!.url, '/api/payments', { headers: { cookie } })
  const payAll = async (n: number): Promise<Answer[]> =>
    (await contend(n, pay)).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    )

  const answers = await payAll(90)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(QUOTA)
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(90 - QUOTA)
  expect(upstream.seen).toHaveLength(QUOTA)

  const refused = await pay(0)
  expect(refused.status).toBe(429)
  const honestAtMs = performance.now() + Number(refused.headers['retry-after']) * 1_000
  await until(() => performance.now() >= honestAtMs, { timeoutMs: WINDOW_MS * 2 })
  expect((await pay(1)).status).toBe(200)

  await writeFile(file, '{"policies": [{"name": "pay"')
  await until(() => three.every((replica) => replica.output().includes('the limits have faults')))
  expect((await pay(2)).headers['ratelimit-policy']).toBe(`"pay";q=${QUOTA};w=3`)

  await writeFile(file, limitsOf('unlimited'))
  await until(async () => {
    const current = await Promise.all([pay(0), pay(1), pay(2)])
    return current.every(({ headers }) => headers['ratelimit-policy'] === undefined)
  })
  expect((await payAll(60)).every(({ status }) => status === 200)).toBe(true)

  await writeFile(file, limitsOf(QUOTA))
  await until(async () => (await pay(0)).headers['ratelimit-policy'] !== undefined)
  await ownValkey.kill()
  await until(async () => (await pay(0)).status === 200)
  const without = await payAll(90)
  // Each gateway applies its share of the quota.
  const passed = without.filter(({ status }) => status === 200)
  expect(passed.length).toBeGreaterThan(0)
  expect(passed.length).toBeLessThanOrEqual(QUOTA)
  for (const { ms } of without) expect(ms).toBeLessThan(1_000)
  for (const replica of three) expect(await replica.terminate()).toBe(0)
  await rm(dir, { recursive: true })
})
