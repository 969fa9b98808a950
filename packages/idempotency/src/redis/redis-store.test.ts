import { connectRedis } from '@repo/redis'
import { describe, expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { again, newClaim } from '../conformance/open.ts'
import type { IdempotencyStore } from '../store.ts'
import { importLibrary, makeMutant, type Mutant, original } from './mutants.fixture.ts'

const LEASE_MS = 60_000
const TTL_MS = 3_600_000
const DAY_MS = 86_400_000
const RECORD = Buffer.from('the response')

const withStore = test.extend('open', async ({ redisUrl }, { onCleanup }) => {
  const closing: (() => Promise<unknown>)[] = []
  const direct = new Redis(redisUrl)
  onCleanup(async () => {
    for (const close of closing) await close()
    await direct.quit()
  })
  await direct.flushall()
  return async ({ prefix, release }: { prefix?: string; release?: Mutant } = {}) => {
    const redis = connectRedis({
      url: redisUrl,
      name: 'test',
      deadlineMs: 5_000,
      ...(prefix === undefined ? {} : { prefix }),
    })
    closing.push(() => redis.close())
    await redis.ready(30_000)
    const copy = release ? await makeMutant(release) : undefined
    if (copy) closing.push(copy.remove)
    const library = await importLibrary(copy?.source ?? original)
    return { store: library.redisStore({ redis }), redis, direct }
  }
})

describe('in Redis', () => {
  withStore(
    'a renewal writes a lost claim again, also after the claim of a duplicate was withdrawn',
    async ({ open }) => {
      const { store, redis, direct } = await open()
      const claim = newClaim()
      await store.begin(claim, LEASE_MS)
      // Redis loses its memory, and a claim whose BEGIN had no reply is withdrawn.
      await direct.set(redis.keyspace('idempotency')('record', claim.id), `1R${again(claim).token}`)
      expect(await store.renew([claim], LEASE_MS)).toEqual([])
      expect(await store.begin(again(claim), LEASE_MS)).toMatchObject({ outcome: 'pending' })
      expect(await store.complete(claim, RECORD, TTL_MS)).toEqual({ outcome: 'stored' })
    },
  )

  withStore('a claim that is released during a long renewal is free', async ({ open }) => {
    const { store } = await open()
    const claims = Array.from({ length: 250 }, () => newClaim())
    for (const claim of claims) await store.begin(claim, LEASE_MS)
    const renewal = store.renew(claims, LEASE_MS)
    const last = claims.at(-1) ?? newClaim()
    await store.release(last)
    expect(await renewal).toEqual([])
    expect(await store.begin(again(last), LEASE_MS)).toEqual({ outcome: 'claimed', attempt: 1 })
  })

  withStore('a first call is two commands, and a replay is one', async ({ open }) => {
    const { store, redis } = await open()
    const warm = newClaim()
    await store.begin(warm, LEASE_MS)
    await store.complete(warm, RECORD, TTL_MS)

    const sent: string[] = []
    const send = redis.client.sendCommand.bind(redis.client)
    redis.client.sendCommand = (command, stream) => {
      sent.push(command.name)
      return send(command, stream)
    }
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await store.complete(claim, RECORD, TTL_MS)
    expect(sent.splice(0)).toEqual(['evalsha', 'evalsha'])
    await store.begin(again(claim), LEASE_MS)
    await store.begin(newClaim({ id: claim.id, body: 'other' }), LEASE_MS)
    expect(sent).toEqual(['evalsha', 'evalsha'])
  })

  withStore('a replay executes one GET on the server', async ({ open }) => {
    const { store, direct } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await store.complete(claim, RECORD, TTL_MS)
    await direct.config('RESETSTAT')
    await store.begin(again(claim), LEASE_MS)
    const stats = await direct.info('commandstats')
    const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)]
      .map(([, name, count]) => `${name} ${count}`)
      .filter((line) => !/^(config|info)/.test(line))
    expect(calls.toSorted()).toEqual(['evalsha 1', 'get 1'])
  })

  withStore('every key expires by itself, and all keys are in one slot', async ({ open }) => {
    const { store, direct } = await open({ prefix: 'shop' })
    const [running, done] = [newClaim(), newClaim()]
    await store.begin(running, LEASE_MS)
    await store.writeStep(running, 'charge', '1')
    await store.begin(done, LEASE_MS)
    await store.complete(done, RECORD, TTL_MS)
    const lost = newClaim()
    await store.renew([lost], LEASE_MS)
    const keys = await direct.keys('*')
    expect(keys).toHaveLength(4)
    for (const key of keys) {
      expect(key).toMatch(/^shop:\{shared\}:idempotency:(record|steps):[\w:-]{43,87}$/)
      expect(await direct.pttl(key)).toBeGreaterThan(0)
    }
    const record = keys.find((key) => key.endsWith(running.id))
    expect(await direct.pttl(record!)).toBeGreaterThan(DAY_MS)
    const response = keys.find((key) => key.endsWith(done.id))
    expect(await direct.pttl(response!)).toBeLessThanOrEqual(TTL_MS)
  })

  withStore('a completion deletes the steps of its request', async ({ open }) => {
    const { store, direct } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await store.writeStep(claim, 'charge', '1')
    await store.complete(claim, RECORD, TTL_MS)
    expect(await direct.keys('*:steps:*')).toEqual([])
  })

  withStore('two deployments on one server share no key', async ({ open }) => {
    const { store } = await open({ prefix: 'one' })
    const { store: other } = await open({ prefix: 'two' })
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    expect(await other.begin(again(claim), LEASE_MS)).toMatchObject({ outcome: 'claimed' })
  })

  withStore('calls go on after the server lost its scripts', async ({ open }) => {
    const { store, direct } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await direct.script('FLUSH')
    expect(await store.complete(claim, RECORD, TTL_MS)).toEqual({ outcome: 'stored' })
    await direct.script('FLUSH')
    const replay = await store.begin(again(claim), LEASE_MS)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })

  withStore('a key that has another type is a defect, and no outage', async ({ open }) => {
    const { store, direct } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    const [key = ''] = await direct.keys('*')
    await direct.del(key)
    await direct.hset(key, 'a', '1')
    const defect = { name: 'IdempotencyError', code: 'defect' }
    await expect(store.begin(claim, LEASE_MS)).rejects.toMatchObject(defect)
    await expect(store.complete(claim, RECORD, TTL_MS)).rejects.toMatchObject(defect)
  })

  withStore('a claim with another length is refused, and nothing is sent', async ({ open }) => {
    const { store, direct } = await open()
    const claim = newClaim()
    for (const field of ['id', 'fingerprint', 'token'] as const) {
      for (const text of ['', `${claim[field]}x`, 'ü'.repeat(claim[field].length)]) {
        const bad = { ...claim, [field]: text }
        const refused = { code: 'bad-argument', message: expect.stringContaining(field) }
        await expect(store.begin(bad, LEASE_MS)).rejects.toMatchObject(refused)
        await expect(store.complete(bad, RECORD, TTL_MS)).rejects.toMatchObject(refused)
        await expect(store.release(bad)).rejects.toMatchObject(refused)
        await expect(store.renew([bad], LEASE_MS)).rejects.toMatchObject(refused)
      }
    }
    expect(await direct.keys('*')).toEqual([])
  })

  withStore('a server that is out of memory makes calls unavailable', async ({ open }) => {
    const { store, direct } = await open()
    await direct.config('SET', 'maxmemory', '1')
    const unavailable = { code: 'unavailable', message: expect.stringContaining('OOM') }
    await expect(store.begin(newClaim(), LEASE_MS)).rejects.toMatchObject(unavailable)
    await expect(store.check()).rejects.toMatchObject(unavailable)
    await direct.config('SET', 'maxmemory', '0')
    expect(await store.begin(newClaim(), LEASE_MS)).toMatchObject({ outcome: 'claimed' })
  })
})

/** The release that claimed the key of each of 50 races, and the other one. */
async function raceForKeys(releases: readonly IdempotencyStore[]) {
  return Promise.all(
    Array.from({ length: 50 }, async () => {
      const first = newClaim()
      const claims = [first, again(first)]
      const begun = await Promise.allSettled(
        releases.map((release, i) => release.begin(claims[i]!, LEASE_MS)),
      )
      const winner = begun.findIndex(({ status }) => status === 'fulfilled')
      return { winner, claims, begun }
    }),
  )
}

describe('two releases with different formats at once', () => {
  const unknown = { name: 'IdempotencyError', code: 'unknown-format' }

  withStore(
    'claim each key once, and the other release gets a coded error and never a replay',
    async ({ open }) => {
      const { store: current } = await open()
      const { store: next } = await open({ release: 'another format' })
      const releases = [current, next]
      for (const { winner, claims, begun } of await raceForKeys(releases)) {
        const [holder, other] = [releases[winner]!, releases[1 - winner]!]
        const [claim, refused] = [claims[winner]!, claims[1 - winner]!]
        expect(begun[winner]).toMatchObject({ value: { outcome: 'claimed', attempt: 1 } })
        expect(begun[1 - winner]).toMatchObject({ reason: unknown })
        await expect(other.complete(refused, RECORD, TTL_MS)).rejects.toMatchObject(unknown)
        await other.release(claim)
        expect(await other.renew([refused], LEASE_MS)).toEqual([refused])
        expect(await holder.complete(claim, RECORD, TTL_MS)).toEqual({ outcome: 'stored' })
        await expect(other.begin(again(claim), LEASE_MS)).rejects.toMatchObject(unknown)
        await expect(other.complete(refused, RECORD, TTL_MS)).rejects.toMatchObject(unknown)
        const replay = await holder.begin(again(claim), LEASE_MS)
        expect(replay).toEqual({ outcome: 'completed', record: RECORD })
      }
    },
  )
})
