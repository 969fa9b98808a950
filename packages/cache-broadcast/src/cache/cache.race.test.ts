import { setTimeout as pause } from 'node:timers/promises'
import { awakeMs, contend, expect, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { busKeys } from '../bus/keys.ts'
import { type CacheOptions, createCache } from '../index.ts'
import { type Instance, test } from '../open.fixture.ts'

interface Value {
  v: number
}

function toValue(stored: unknown): Value {
  if (typeof stored === 'object' && stored !== null && 'v' in stored) return { v: Number(stored.v) }
  throw new TypeError('not a value')
}

function fulfilled(v: number) {
  return { status: 'fulfilled', value: { v } }
}

function cacheOn({ bus }: Instance, options: Partial<CacheOptions<Value>> = {}) {
  return createCache<Value>({
    bus,
    name: 'value',
    parse: toValue,
    load: async () => ({ v: 1 }),
    ...options,
  })
}

type Join = (url: string, id: string, options: { deadlineMs: number }) => Promise<Instance>

/** Hundreds of calls at once on a busy machine are not what a deadline is for. */
async function three(join: Join, url: string) {
  const open = (id: string) => join(url, id, { deadlineMs: 5_000 })
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(open))
  return [a!, b!, c!] as const
}

test('I6: 150 concurrent callers on three instances start one load', async ({ redisUrl, join }) => {
  const instances = await three(join, redisUrl)
  let loads = 0
  const caches = instances.map((instance) =>
    cacheOn(instance, {
      async load() {
        loads += 1
        // Longer than a claim stands unless it is prolonged.
        await pause(700)
        return { v: loads }
      },
    }),
  )
  const got = await contend(150, (i) => caches[i % 3]!.get('k'))
  expect(got.every((read) => read.status === 'fulfilled' && read.value?.v === 1)).toBe(true)
  expect(loads).toBe(1)
})

test('I6: an instance that ends during a load delays other instances for at most its claim', async ({
  redisUrl,
  join,
  replicas,
}) => {
  const [loader] = await replicas(1, { program: new URL('loader.fixture.ts', import.meta.url) })
  await loader!.call('open', redisUrl)
  const cache = cacheOn(await join(redisUrl, 'a'))
  void loader!.call('load', 'dead').catch(() => 'it dies')
  const probe = new Redis(redisUrl)
  const claimed = `${busKeys('test').valuePrefix('value')}dead:l`
  await until(() => probe.exists(claimed))
  probe.disconnect()
  await loader!.kill()
  const startedAtMs = awakeMs()
  expect(await cache.get('dead')).toEqual({ v: 1 })
  expect(awakeMs() - startedAtMs).toBeLessThan(1_000)
})

test('I2: an invalidation on one instance during a load on another leaves no old value', async ({
  redisUrl,
  join,
}) => {
  const [a, b, c] = await three(join, redisUrl)
  let truth = 1
  for (let round = 0; round < 20; round += 1) {
    const key = `k${round}`
    const began = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const loading = cacheOn(a, {
      async load() {
        const value = { v: truth }
        began.resolve()
        await goOn.promise
        return value
      },
    })
    const first = loading.get(key)
    await began.promise
    truth += 1
    await cacheOn(b).invalidate(key)
    goOn.resolve()
    expect(await first).toEqual({ v: truth - 1 })
    expect(loading.peek(key)).toBeUndefined()
    const fresh = cacheOn(c, { load: async () => ({ v: truth }) })
    expect(await fresh.get(key)).toEqual({ v: truth })
    loading.close()
  }
})

test('I5: after 600 concurrent sets of 40 keys, all instances serve the same values', async ({
  redisUrl,
  join,
}) => {
  const caches = (await three(join, redisUrl)).map((instance) => cacheOn(instance))
  await contend(600, (i) => caches[i % 3]!.set(`s${i % 40}`, { v: i }))
  await caches[0]!.invalidate('other', { wait: 'everywhere' })
  const keys = Array.from({ length: 40 }, (_, i) => `s${i}`)
  const [a, b, c] = await Promise.all(caches.map((cache) => cache.getMany(keys)))
  expect(b).toEqual(a)
  expect(c).toEqual(a)
  expect(a!.every((value) => value && value.v > 40)).toBe(true)
})

test('for holdMs after an invalidation, loaded values are not stored', async ({
  redisUrl,
  join,
}) => {
  const [a, b] = await three(join, redisUrl)
  let lagging = true
  const load = async () => ({ v: lagging ? 1 : 2 })
  const [ca, cb] = [cacheOn(a, { load }), cacheOn(b, { load })]
  await ca.invalidate('held', { holdMs: 300 })
  expect(await cb.get('held')).toEqual({ v: 1 })
  lagging = false
  expect(await cb.get('held')).toEqual({ v: 2 })
  expect(await ca.get('held')).toEqual({ v: 2 })
})

test('after Redis restarts with old data, no value that was invalidated since is served', async ({
  ownValkey,
  join,
}) => {
  const [a, b] = await three(join, ownValkey.url)
  let truth = 1
  const load = async () => ({ v: truth })
  const [ca, cb] = [cacheOn(a, { load }), cacheOn(b, { load })]
  const admin = new Redis(ownValkey.url)
  expect(await ca.get('k')).toEqual({ v: 1 })
  expect(await cb.get('k')).toEqual({ v: 1 })
  const names = await admin.keys('*')
  const snapshot = await Promise.all(names.map((name) => admin.dumpBuffer(name)))
  truth = 2
  await ca.invalidate('k', { wait: 'everywhere' })
  await admin.flushall()
  for (const [i, name] of names.entries())
    await admin.restore(name, 60_000, snapshot[i]!, 'REPLACE')
  admin.disconnect()
  for (let i = 0; i < 50; i += 1) {
    expect(await ca.get('k')).toEqual({ v: 2 })
    expect(await cb.get('k')).toEqual({ v: 2 })
    await pause(10)
  }
  expect(a.bus.health().resyncs + b.bus.health().resyncs).toBeGreaterThanOrEqual(2)
})

test.for(['bypass', 'stale', 'fail'] as const)(
  'I9: while Redis hangs, a read with outage %s ends as documented within the deadline',
  async (outage, { ownValkey, join }) => {
    const instance = await join(ownValkey.url, 'a')
    let truth = 1
    const cache = cacheOn(instance, { outage, load: async () => ({ v: truth }) })
    expect(await cache.get('k')).toEqual({ v: 1 })
    truth = 2
    await ownValkey.pause()
    await until(() => instance.bus.health().leaseMsLeft === 0)
    const startedAtMs = awakeMs()
    const [cached, absent] = await contend(2, (i) => cache.get(i === 0 ? 'k' : 'new'))
    expect(awakeMs() - startedAtMs).toBeLessThan(1_000)
    const refused = { status: 'rejected', reason: { code: /timeout|unavailable/ } }
    if (outage === 'fail') {
      for (const read of [cached, absent]) {
        expect(read?.status === 'rejected' && read.reason.code).toMatch(refused.reason.code)
      }
    } else {
      expect(cached).toEqual(fulfilled(outage === 'stale' ? 1 : 2))
      expect(absent).toEqual(fulfilled(2))
    }
    ownValkey.resume()
    await until(async () => (await cache.set('k', { v: 3 })).outcome === 'sent')
    expect(await cache.get('k')).toEqual({ v: 3 })
  },
)

test('I1: on an instance that is cut off, 100 readers do not join a load that began before their call', async ({
  ownValkey,
  join,
}) => {
  const instance = await join(ownValkey.url, 'a')
  let truth = 1
  let loads = 0
  const cache = cacheOn(instance, {
    async load() {
      loads += 1
      const value = { v: truth }
      await pause(50)
      return value
    },
  })
  await ownValkey.kill()
  await until(() => instance.bus.health().leaseMsLeft === 0)
  const early = contend(50, () => cache.get('k'))
  await until(() => loads === 1)
  truth = 2
  const late = await contend(50, () => cache.get('k'))
  expect(late.every((read) => read.status === 'fulfilled' && read.value?.v === 2)).toBe(true)
  await early
  expect(loads).toBeLessThanOrEqual(3)
})
