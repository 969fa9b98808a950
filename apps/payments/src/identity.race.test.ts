import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { createIdentities, type Identity } from '@repo/service'
import { expect, test } from '@repo/testing'
import { identityFor, order, payer, SECRET } from './app.fixture.ts'

const program = new URL('main.ts', import.meta.url)
const path = '/api/payments'
const body = JSON.stringify(order)
/** An installed checkout of the release before, whose instance is the third one. */
const BEFORE = process.env['RELEASE_BEFORE']

function environment(databaseUrl: string, redisUrl: string): Record<string, string> {
  return {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ORIGIN: 'http://localhost:8080',
    INTERNAL_SECRET: SECRET,
    DRAIN_MS: '0',
  }
}

interface Sent {
  method?: string
  target?: string
  body?: string
  headers: Record<string, string>
}

async function send(url: string, { method = 'POST', target = path, headers, ...sent }: Sent) {
  const answer = await fetch(url + target, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(method !== 'GET' && { body: sent.body ?? body }),
  })
  return { status: answer.status, body: await answer.json() }
}

function without(headers: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name))
}

/** The header of a gateway of the release before, in the form of commit db717dd. */
function signFormer(identity: Identity): Record<string, string> {
  const text = JSON.stringify({ identity, issuedAtMs: Date.now() })
  const payload = Buffer.from(text).toString('base64url')
  const mac = createHmac('sha256', SECRET).update(`${payload}\nPOST\n${path}`).digest('base64url')
  return { 'x-identity': `${payload}.${mac}` }
}

test('three instances refuse each of 24 changes of a captured payment, and make the payment itself', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const instances = await replicas(3, { program, env, ready: '/readyz' })
  const ada = payer()
  const captured = identityFor(ada, 'POST', path, body)
  const elsewhere = createIdentities({ secret: SECRET, upstream: 'auth' })
  const strangers = createIdentities({ secret: `${SECRET}!`, upstream: 'payments' })
  const attacks: Sent[] = [
    { headers: captured, body: JSON.stringify({ ...order, amount: 999_999 }) },
    { headers: captured, method: 'GET' },
    { headers: captured, target: `${path}?x=1` },
    { headers: { ...captured, 'x-client-ip': '6.6.6.6' } },
    { headers: { ...captured, 'x-request-id': 'another-request' } },
    { headers: without(captured, 'x-identity-2') },
    { headers: identityFor(ada, 'POST', path, body, elsewhere) },
    { headers: identityFor(ada, 'POST', path, body, strangers) },
  ]
  let attempts = 0
  for (const { url } of instances) {
    for (const attack of attacks) {
      expect((await send(url, attack)).status, JSON.stringify(attack)).toBe(401)
      attempts += 1
    }
  }
  expect(attempts).toBe(24)
  const list = { method: 'GET', headers: identityFor(ada, 'GET', path) }
  expect((await send(instances[0]!.url, list)).body).toEqual({ payments: [] })
  const made = await send(instances[1]!.url, { headers: captured })
  expect(made.status).toBe(201)
  expect((await send(instances[2]!.url, list)).body).toEqual({ payments: [made.body] })
})

test('a payment from the release before is made until IDENTITY_VERSION_1 is refuse, and each release reads the other', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const [open] = await replicas(1, { program, env, ready: '/readyz' })
  const strictEnv = { ...env, IDENTITY_VERSION_1: 'refuse' }
  const [strict] = await replicas(1, { program, env: strictEnv, ready: '/readyz' })
  const ada = payer()
  const both = () => identityFor(ada, 'POST', path, body)
  const former = () => signFormer(ada)
  expect((await send(open!.url, { headers: both() })).status).toBe(201)
  expect((await send(open!.url, { headers: former() })).status).toBe(201)
  expect((await send(strict!.url, { headers: both() })).status).toBe(201)
  expect((await send(strict!.url, { headers: former() })).status).toBe(401)
  if (!BEFORE) return
  const old = join(BEFORE, 'apps/payments/src/main.ts')
  const [before] = await replicas(1, { program: old, env, ready: '/readyz' })
  expect((await send(before!.url, { headers: both() })).status).toBe(201)
  expect((await send(before!.url, { headers: former() })).status).toBe(201)
})
