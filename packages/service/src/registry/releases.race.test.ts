import { copyFile } from 'node:fs/promises'
import path from 'node:path'
import {
  afterAll,
  copyMutant,
  describe,
  expect,
  endReplicas,
  type Replica,
  startReplicas,
  test,
  until,
} from '@repo/testing'
import { z } from 'zod'
import { ask } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'
import { join } from './registry.fixture.ts'
import { instanceSchema } from './registry.ts'

const INSTANCES = 'threefold:{shared}:cluster:instances'
const LEASES = 'threefold:{shared}:cluster:leases'

/** A record in the form of commit ed408d6. */
const BEFORE = {
  id: 'z-1',
  app: 'z',
  version: '1',
  url: 'http://z-1',
  startedAt: '2026-11-24T12:00:00.000Z',
  ready: true,
  load: 2,
  fingerprint: { MODE: 'abcdefghijkl' },
  process: { nonce: '00000000-0000-4000-8000-000000000000', host: 'h', pid: 7 },
}

/** The reader of commit ed408d6. */
const readerBefore = z.object({
  id: z.string(),
  app: z.string(),
  version: z.string(),
  url: z.string(),
  startedAt: z.string(),
  ready: z.boolean(),
  load: z.number(),
  fingerprint: z.record(z.string(), z.string()),
})

const { load: _, fingerprint: __, ...rest } = BEFORE

/** Records that another release can announce, and the records that this one lists. */
const RECORDS: [name: string, record: object, listed: object][] = [
  ['of the previous release', BEFORE, { load: 2, ready: true }],
  ['with an additional field', { ...BEFORE, zone: 'b' }, { load: 2, ready: true }],
  ['with a field renamed', { ...rest, inFlight: 2 }, { load: 0, fingerprint: {} }],
  [
    'with times as numbers',
    { ...BEFORE, startedAt: 1_795_971_808_685 },
    { startedAt: '9999-12-31T23:59:59.999Z' },
  ],
  ['with its readiness in words', { ...BEFORE, ready: 'warming' }, { ready: false }],
  [
    'with hashes in another form',
    { ...BEFORE, fingerprint: { MODE: 'v2:abcdefghijklmnop' } },
    { fingerprint: {} },
  ],
  ['with its process in another form', { ...BEFORE, process: 'h/7' }, { load: 2 }],
]

test.for(RECORDS)(
  'a record %s is listed and counted, and its missing fields are not compared',
  async ([, record, listed], { redisUrl }) => {
    const leaseMs = 60_000
    await using one = await join({ id: 'a-1', redisUrl, calmMs: 0, leaseMs })
    await using two = await join({ id: 'a-2', redisUrl, calmMs: 0, leaseMs })
    const { client } = one.redis
    await one.registry.announce()
    await client.hset(INSTANCES, 'z-1', JSON.stringify(record))
    await client.zadd(LEASES, Date.now() + 60_000, 'z-1')
    for (const { registry } of [one, two, one, two]) await registry.announce()
    const found = (await one.registry.instances()).find(({ id }) => id === 'z-1')
    expect(found).toMatchObject({ id: 'z-1', app: 'z', ...listed })
    expect([one.registry.count('z'), one.registry.count('a')]).toEqual([1, 2])
    expect([one, two].map(({ registry }) => registry.drift())).toEqual([[], []])
    expect([one, two].map(({ registry }) => registry.problems())).toEqual([[], []])
    await client.hdel(INSTANCES, 'z-1')
    await client.zrem(LEASES, 'z-1')
  },
)

test('a record of this release is readable for the previous release', async ({ redisUrl }) => {
  await using one = await join({ id: 'a-1', redisUrl })
  await one.registry.announce()
  const text = (await one.redis.client.hget(INSTANCES, 'a-1')) ?? ''
  const record: unknown = JSON.parse(text)
  expect(readerBefore.safeParse(record).success).toBe(true)
  expect(instanceSchema.parse(record)).toEqual(readerBefore.parse(record))
})

async function idsOn({ url }: Replica): Promise<string> {
  const listed: { id: string }[] = JSON.parse((await ask(`${url}/instances`)).body)
  return listed.map(({ id }) => id).join()
}

describe('two instances of this release and one of the next', () => {
  const started: Replica[] = []
  afterAll(() => endReplicas(started))

  test('two instances of this release and one of the next list each other without drift, also after it ends', async ({
    redisUrl,
  }) => {
    const next = await copyMutant(path.join(import.meta.dirname, '..'), 'release-next', [
      [
        'registry/registry.ts',
        'JSON.stringify({ ...self, fingerprint, process: neighbours.process })',
        `JSON.stringify({ ...self, load: undefined, inFlight: self.load, zone: 'b', prints: fingerprint, process: neighbours.process })`,
      ],
    ])
    try {
      const env = settingsFor(redisUrl)
      const laterProgram = path.join(path.dirname(next.source), 'app.fixture.ts')
      // A copy of a package has no fixtures.
      for (const fixture of ['app.fixture.ts', 'http/upgrade.fixture.ts']) {
        const copied = path.join(path.dirname(next.source), fixture)
        await copyFile(path.join(import.meta.dirname, '..', fixture), copied)
      }
      started.push(...(await startReplicas(2, { program, env, ready: '/readyz' })))
      const later = { ...env, INSTANCE_ID: 'next-1' }
      started.push(
        ...(await startReplicas(1, { program: laterProgram, env: later, ready: '/readyz' })),
      )
      for (const replica of started) {
        await until(async () => (await idsOn(replica)) === 'next-1,replica-1,replica-2')
      }
      // Longer than a lease, so settings are compared again.
      const comparedMs = performance.now() + 6_500
      await until(() => performance.now() > comparedMs)
      for (const replica of started) {
        expect(replica.output()).not.toContain('config.drift')
        expect(replica.output()).not.toContain('instance.duplicate')
      }
      expect(await started[2]!.terminate()).toBe(0)
      await until(async () => (await idsOn(started[0]!)) === 'replica-1,replica-2')
    } finally {
      await next.remove()
    }
  })
})
