import { expect, test } from '@playwright/test'
import { EDGE, instancesOf, readCluster, storeOf } from '../cluster.ts'
import { startPayers } from '../payers.ts'
import { administrator, register, signIn, signUp, newPerson } from '../person.ts'

let hung: number | undefined

function hang(pid: number) {
  hung = pid
  process.kill(pid, 'SIGSTOP')
}

function resume() {
  if (hung !== undefined) process.kill(hung, 'SIGCONT')
  hung = undefined
}

// The next spec needs Redis, and each instance reconnects at a different time.
test.afterEach(async ({ request }) => {
  resume()
  for (const { id, url } of readCluster().instances) {
    await expect(async () => {
      const health = await (await request.get(`${url}/health`)).json()
      expect(health, id).toMatchObject({ status: 'healthy' })
    }).toPass({ timeout: 30_000 })
  }
})

test('users sign in, sessions are checked and pages are served while Redis hangs', async ({
  page,
  request,
}) => {
  const person = newPerson()
  await register(request, person)
  hang(storeOf('valkey'))

  const began = Date.now()
  const signedIn = await signIn(request, person)
  expect(signedIn.status()).toBe(200)
  const me = await request.get(`${EDGE}/api/me`)
  expect(await me.json()).toMatchObject({ user: { email: person.email } })
  expect(Date.now() - began, 'sign-in and /api/me together, in ms').toBeLessThan(4_000)
  await signUp(page, newPerson())

  // Still ready: a readiness check of the shared Redis would remove every instance at once.
  for (const { url } of instancesOf('gateway')) {
    expect((await request.get(`${url}/readyz`)).status()).toBe(200)
    const health = await request.get(`${url}/health`)
    expect(health.status()).toBe(200)
    expect(await health.json()).toMatchObject({
      status: 'degraded',
      services: { database: 'healthy', redis: 'unhealthy' },
    })
  }
})

test('a route that needs Redis answers 503 with Retry-After within a second, and recovers automatically', async ({
  request,
}) => {
  expect((await signIn(request, administrator)).status()).toBe(200)
  hang(storeOf('valkey'))
  // Gateways serve their cached list for half a second.
  const cluster = () => request.get(`${EDGE}/api/cluster`)
  await expect
    .poll(
      async () => {
        const sentAt = Date.now()
        const status = (await cluster()).status()
        expect(Date.now() - sentAt, 'ms until any response').toBeLessThan(1_000)
        return status
      },
      { timeout: 1_500, intervals: [50] },
    )
    .toBe(503)
  const began = Date.now()
  const refused = await cluster()
  expect(Date.now() - began, 'ms until the 503').toBeLessThan(1_000)
  expect(refused.status()).toBe(503)
  expect(refused.headers()['retry-after']).toBe('1')
  expect(refused.headers()['content-type']).toBe('application/problem+json')

  resume()
  await expect(async () => {
    const recovered = await cluster()
    expect(recovered.status()).toBe(200)
    const { instances } = await recovered.json()
    expect(instances).toHaveLength(12)
  }).toPass({ timeout: 20_000 })
})

test('no session is lost when Redis is killed and restarts empty, and every instance is listed again', async ({
  request,
}) => {
  expect((await signIn(request, administrator)).status()).toBe(200)
  const before = storeOf('valkey')
  process.kill(before, 'SIGKILL')
  expect((await request.get(`${EDGE}/api/me`)).status()).toBe(200)
  await expect(async () => {
    const { instances } = await (await request.get(`${EDGE}/api/cluster`)).json()
    expect(instances).toHaveLength(12)
  }).toPass({ timeout: 30_000 })
})

test('each payment with a key is made once while Redis hangs, is killed, and has lost its records', async ({
  request,
}) => {
  test.setTimeout(180_000)
  const payers = await startPayers(request)
  const untilPaid = async () => {
    const ended = payers.ended()
    await expect.poll(() => payers.ended(), { timeout: 60_000 }).toBeGreaterThan(ended + 50)
  }
  await untilPaid()
  hang(storeOf('valkey'))
  await untilPaid()
  resume()
  await untilPaid()
  // It restarts empty.
  const before = storeOf('valkey')
  process.kill(before, 'SIGKILL')
  await untilPaid()
  await expect.poll(() => storeOf('valkey'), { timeout: 60_000 }).not.toBe(before)
  await untilPaid()
  const { verdict, made } = await payers.stop()
  expect(verdict).toMatchObject({ differing: [], unanswered: [], refused: [] })
  expect(made).toEqual({ payments: verdict.keys, references: verdict.keys })
})
