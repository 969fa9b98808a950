import { connectRedis } from '@repo/redis'
import {
  awakeMs,
  afterAll,
  endReplicas,
  expect,
  type Replica,
  startReplicas,
  test,
  until,
} from '@repo/testing'
import { ask } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'
import type { Instance } from './registry.ts'

const LEASE_MS = 5_000
const everything: Replica[] = []

async function start(n: number, env: Record<string, string>): Promise<Replica[]> {
  const started = await startReplicas(n, { program, env, ready: '/readyz' })
  everything.push(...started)
  return started
}

async function instancesOf({ url }: Replica): Promise<Instance[]> {
  return JSON.parse((await ask(`${url}/instances`)).body)
}

async function idsOf(replica: Replica): Promise<string> {
  return (await instancesOf(replica)).map(({ id }) => id).join()
}

async function healthOf({ url }: Replica) {
  const { status, body } = await ask(`${url}/health`)
  const { status: health, drift }: { status: string; drift?: string[] } = JSON.parse(body)
  return { code: status, health, drift }
}

afterAll(() => endReplicas(everything))

let three: Replica[] = []
let odd: Replica

test('four instances are listed on each one with id, app, version, url, start, readiness and load', async ({
  redisUrl,
}) => {
  const env = settingsFor(redisUrl)
  const other = { ...env, APP: 'other', INSTANCE_ID: 'other-1', MODE: 'two' }
  const [started, others] = await Promise.all([start(3, env), start(1, other)])
  three = started
  odd = others[0]!
  const ids = 'other-1,replica-1,replica-2,replica-3'
  for (const replica of [...three, odd]) {
    await until(async () => (await idsOf(replica)) === ids)
    const listed = await instancesOf(replica)
    for (const { id, ...each } of listed) {
      const expected = [...three, odd].find(
        (candidate) => id === (candidate === odd ? 'other-1' : candidate.id),
      )
      expect(each).toEqual({
        app: id === 'other-1' ? 'other' : 'fixture',
        version: '1.2.3',
        url: expected!.url.replace('127.0.0.1', 'localhost'),
        startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        ready: true,
        load: expect.any(Number),
        fingerprint: expect.objectContaining({ MODE: expect.any(String) }),
      })
    }
  }
})

test('the list shows the number of requests in flight on each instance', async () => {
  const [busy, other] = three
  const slow = [ask(`${busy!.url}/slow`), ask(`${busy!.url}/slow`)]
  await until(async () => {
    const found = (await instancesOf(other!)).find(({ id }) => id === busy!.id)
    return found?.load === 2
  })
  await busy!.call('release', 'slow')
  await Promise.all(slow)
})

test('an instance with another setting logs its name and is degraded, and the other instances are healthy', async () => {
  await until(async () => (await healthOf(odd)).drift)
  expect(await healthOf(odd)).toEqual({ code: 200, health: 'degraded', drift: ['MODE'] })
  for (const replica of three) {
    // The check of Redis can miss its deadline on a busy machine, so it is repeated.
    await until(async () => (await healthOf(replica)).health === 'healthy')
  }
  expect(odd.output()).toContain('differs from other instances in MODE')
})

test('all instances are listed again within 3 s after Redis was emptied, and the same one drifts', async ({
  redisUrl,
}) => {
  const redis = connectRedis({ url: redisUrl, name: 'test' })
  await redis.ready()
  const before = await idsOf(three[0]!)
  await redis.client.flushall()
  await until(async () => (await idsOf(three[0]!)) === before, { timeoutMs: 3_000 })
  await until(async () => (await healthOf(odd)).drift)
  for (const replica of three) expect(replica.output()).not.toContain('config.drift')
  await redis.close()
})

test('a terminated instance is removed from the list at once, and healthy after it restarts with the right setting', async ({
  redisUrl,
}) => {
  const ended = odd.terminate()
  await until(() => odd.output().includes('"event":"drain"'), { everyMs: 1 })
  const at = awakeMs()
  await until(async () => !(await idsOf(three[0]!)).includes('other-1'), { everyMs: 1 })
  expect(awakeMs() - at).toBeLessThan(500)
  expect(await ended).toBe(0)

  const [agreeing] = await start(1, { ...settingsFor(redisUrl), INSTANCE_ID: 'other-1' })
  await until(async () => (await idsOf(three[0]!)).includes('other-1'))
  await until(async () => (await healthOf(agreeing!)).health === 'healthy')
})

test(`a killed instance is removed from the list within its lease of ${LEASE_MS} ms, and no other one is`, async () => {
  await three[2]!.kill()
  const at = awakeMs()
  const isRemoved = async () => (await idsOf(three[0]!)) === 'other-1,replica-1,replica-2'
  await until(isRemoved, { everyMs: 50 })
  expect(awakeMs() - at).toBeLessThan(LEASE_MS + 500)
})
