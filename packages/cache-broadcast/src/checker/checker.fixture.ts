import { openSync, readSync, writeSync } from 'node:fs'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import type { Bus, Cache, createBus, createCache } from '../index.ts'
import { KEYS, type Opening, type Run, type History, randomOf } from './history.fixture.ts'

/** A value of the checker. Each of its processes reads all keys, and writes the keys that it owns. */
interface Value {
  v: number
}

interface Library {
  createBus: typeof createBus
  createCache: typeof createCache
}

let opened: { bus: Bus; cache: Cache<Value>; truth: number; random: () => number; self: number }
const versions = Array.from({ length: KEYS }, () => 0)

/** All processes of a machine share this clock. */
const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

serveReplica({
  async open({ redisUrl, source, truthFile, seed, self, maxStaleMs, slowMs }: Opening) {
    const library: Library = await import(source)
    const random = randomOf(seed + self)
    const truth = openSync(truthFile, 'r+')
    const redis = connectRedis({ url: redisUrl, name: `checker-${self}` })
    await redis.ready()
    const bus = library.createBus({
      redis: slowed(redis, () => random() * slowMs),
      name: 'checker',
      instance: `checker-${self}`,
      maxStaleMs,
    })
    await bus.ready()
    const cache = library.createCache<Value>({
      bus,
      name: 'value',
      parse: toValue,
      ttlMs: 2_000,
      staleMs: 300,
      failSafeMs: 1_000,
      retryAfterMs: 50,
      // One instance evicts all the time; the others serve a wrong value until it expires.
      maxEntries: self === 0 ? 8 : 100,
      tags: (_, key) => [`tag-${key}`],
      async load(key) {
        const value = { v: readVersion(truth, Number(key)) }
        await pause(random() * 25)
        if (random() < 0.02) throw new Error('the source is ill')
        return value
      },
    })
    opened = { bus, cache, truth, random, self }
  },
  async run(run: Run): Promise<History> {
    const history: History = {
      reads: [],
      writes: [],
      rejectedReads: 0,
      retriedWrites: 0,
      resyncs: 0,
    }
    const untilMs = nowMs() + run.ms
    const ownedKeys = versions.keys().filter((key) => key % run.replicas === opened.self)
    await Promise.all([
      ...Array.from({ length: 16 }, () => readUntil(untilMs, history)),
      ...ownedKeys.map((key) => writeUntil(untilMs, key, run, history)),
    ])
    return { ...history, resyncs: opened.bus.health().resyncs }
  },
})

async function readUntil(untilMs: number, history: History) {
  const { cache, random } = opened
  while (nowMs() < untilMs) {
    for (let i = 0; i < 6; i += 1) {
      const key = Math.floor(random() * KEYS)
      const startedAtMs = nowMs()
      try {
        const value = random() < 0.3 ? cache.peek(String(key)) : await cache.get(String(key))
        if (value) history.reads.push([key, startedAtMs, value.v])
      } catch {
        history.rejectedReads += 1 // the load failed, and no value could be served instead
      }
    }
    await (random() < 0.5 ? turn() : pause(1))
  }
}

async function writeUntil(untilMs: number, key: number, { wait, pauseMs }: Run, history: History) {
  const { cache, bus, truth, random } = opened
  const name = String(key)
  while (nowMs() < untilMs) {
    const version = (versions[key] ?? 0) + 1
    versions[key] = version
    writeSync(truth, Buffer.from(String(version).padStart(8, '0')), 0, 8, key * 8)
    const which = random()
    const change = () => {
      if (which < 0.6) return cache.invalidate(name, { wait })
      if (which < 0.75) return bus.invalidateTag(`tag-${name}`, { wait })
      return which < 0.9 ? cache.set(name, { v: version }, { wait }) : cache.clear({ wait })
    }
    while (!(await succeeds(change))) {
      history.retriedWrites += 1
      await pause(5)
    }
    history.writes.push([key, nowMs(), version])
    await pause(random() * pauseMs)
  }
}

async function succeeds(change: () => Promise<unknown>): Promise<boolean> {
  try {
    await change()
    return true
  } catch {
    return false // it was not acknowledged, so it is repeated
  }
}

function readVersion(truth: number, key: number): number {
  const bytes = Buffer.alloc(8)
  readSync(truth, bytes, 0, 8, key * 8)
  return Number(bytes.toString())
}

function toValue(stored: unknown): Value {
  if (typeof stored === 'object' && stored !== null && 'v' in stored) return { v: Number(stored.v) }
  throw new TypeError('not a value')
}

/** Delays replies, so that invalidations overtake them. */
function slowed(redis: RedisConnection, delayMs: () => number): RedisConnection {
  return {
    ...redis,
    async call(command) {
      const answer = await redis.call(command)
      const ms = delayMs()
      if (ms > 0.5) await pause(ms)
      return answer
    },
  }
}
