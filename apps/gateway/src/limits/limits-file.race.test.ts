import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, makeReadOnly, test, until } from '@repo/testing'
import { ask, environment, signedIn } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'

const program = new URL('../main.ts', import.meta.url)

function limitsOf(quota: number): string {
  const policies = [{ name: 'pay', quota, windowMs: 60_000, by: 'user' }]
  return JSON.stringify({ policies, routes: [{ path: '/api/payments', policies: ['pay'] }] })
}

test('limits that the database refused are in force once it accepts writes, also on an instance that started in between', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using upstream = await serveUpstream('payments-1')
  const { cookie } = await signedIn(databaseUrl)
  const dir = await mkdtemp(join(tmpdir(), 'threefold-limits-'))
  const LIMITS_FILE = join(dir, 'limits.json')
  await writeFile(LIMITS_FILE, limitsOf(500))
  const env = { ...environment({ databaseUrl, redisUrl, upstream: upstream.origin }), LIMITS_FILE }
  const [running] = await replicas(1, { program, env, ready: '/readyz' })
  const policyOf = async (url: string) =>
    (await ask(url, '/api/payments', { headers: { cookie } })).headers['ratelimit-policy']

  const readOnly = await makeReadOnly(databaseUrl)
  await writeFile(LIMITS_FILE, limitsOf(400))
  const later = { ...env, INSTANCE_ID: 'replica-2' }
  const [started] = await replicas(1, { program, env: later, ready: '/readyz' })
  const two = [running!, started!]
  await until(() => two.every((replica) => replica.output().includes('limits.publish failed')))
  await readOnly[Symbol.asyncDispose]()
  for (const { url } of two) {
    await until(async () => (await policyOf(url)) === '"pay";q=400;w=60')
  }
  for (const replica of two) expect(await replica.terminate()).toBe(0)
  await rm(dir, { recursive: true })
})
