import { blockEventLoop, expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import * as original from '../index.ts'
import type { PolicyInput, RateLimiter } from '../index.ts'
import { makeMutant } from '../mutants.fixture.ts'

type Library = Pick<typeof original, 'connectLimiterRedis' | 'createRateLimiter'>

const policies: PolicyInput[] = [
  { name: 'local', quota: 100_000, windowMs: 60_000, by: 'ip' },
  { name: 'deny', quota: 100_000, windowMs: 60_000, by: 'ip', onUnavailable: 'deny' },
]

const limited = test.extend('open', async ({ redisUrl }, { onCleanup }) => {
  const closing: (() => Promise<void>)[] = []
  onCleanup(async () => {
    for (const close of closing.toReversed()) await close()
  })
  return async ({ mutant, deadlineMs = 150 }: { mutant?: string; deadlineMs?: number } = {}) => {
    const copy = mutant === undefined ? undefined : await makeMutant(mutant)
    if (copy) closing.push(copy.remove)
    const library: Library = copy ? await import(copy.source) : original
    const redis = library.connectLimiterRedis({ url: redisUrl, name: 'test', deadlineMs })
    await redis.ready()
    const limiter = library.createRateLimiter({ redis, policies, replicas: () => 3 })
    closing.push(
      () => redis.close(),
      () => limiter.close(),
    )
    return limiter
  }
})

/** Takes in flight during four pauses, and 20 after each; returns how many there were. */
async function pause(limiter: RateLimiter, ms: number): Promise<number> {
  let takes = 0
  async function take(ip: string) {
    await limiter.take(['local', 'deny'], { ip })
    takes += 1
  }
  for (let round = 0; round < 4; round += 1) {
    const inFlight = Array.from({ length: 16 }, (_, i) => take(`192.0.2.${i}`))
    // Some are written before the pause, some wait for their turn of the event loop.
    if (round % 2 === 1) await new Promise((resolve) => setImmediate(resolve))
    blockEventLoop(ms)
    await Promise.all(inFlight)
    for (let i = 0; i < 20; i += 1) await take('198.51.100.7')
  }
  return takes
}

/** The first attempt to replace a connection is long over, however busy the machine is. */
const deadlineMs = 5_000

/** Takes one by one at a connection that is killed 20 times; returns the most in a row without Redis. */
async function kill(limiter: RateLimiter, redisUrl: string): Promise<number> {
  const direct = new Redis(redisUrl)
  let kills = 0
  let most = 0
  let inARow = 0
  for (let takes = 0; kills < 20; takes += 1) {
    const { degraded } = await limiter.take(['local'], { ip: '192.0.2.1' })
    inARow = degraded ? inARow + 1 : 0
    most = Math.max(most, inARow)
    // A take without Redis is answered at once: the sockets get their turn.
    await new Promise((resolve) => setImmediate(resolve))
    if (degraded || takes < 5) continue
    kills += 1
    takes = 0
    void direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  }
  await direct.quit()
  return most
}

for (const ms of [160, 500, 1_200]) {
  limited(
    `in 4 pauses of ${ms} ms with 16 takes in flight, Redis decides every take, and every one after them`,
    async ({ open }) => {
      const limiter = await open()
      const allowed = await pause(limiter, ms)
      expect(limiter.stats()).toMatchObject({ allowed, degraded: 0, unavailable: 0, exact: true })
      expect(allowed).toBe(4 * 36)
    },
  )
}

limited('a program whose deadlines are timers is caught by a pause', async ({ open }) => {
  const limiter = await open({ mutant: 'a deadline that is a timer' })
  await pause(limiter, 160)
  expect(limiter.stats().degraded).toBeGreaterThan(0)
})

limited(
  'a process that runs 20 ms of each 100 ms, for 2 s with takes in flight all the time, decides none without Redis',
  async ({ open }) => {
    const limiter = await open()
    const pauses = setInterval(() => blockEventLoop(80), 100)
    const untilMs = performance.now() + 2_000
    async function takeUntilThen(ip: string) {
      while (performance.now() < untilMs) await limiter.take(['local'], { ip })
    }
    await Promise.all(Array.from({ length: 8 }, (_, i) => takeUntilThen(`192.0.2.${i}`)))
    clearInterval(pauses)
    expect(limiter.stats()).toMatchObject({ degraded: 0, unavailable: 0 })
    expect(limiter.stats().allowed).toBeGreaterThan(50)
  },
)

limited(
  'at a connection that is killed 20 times, no two takes in a row are decided without Redis',
  async ({ open, redisUrl }) => {
    // A take that was written may have counted, so it is not sent again; the next one waits.
    expect(await kill(await open({ deadlineMs }), redisUrl)).toBeLessThanOrEqual(1)
  },
)

limited(
  'a program whose calls do not wait for the next connection is caught',
  async ({ open, redisUrl }) => {
    const limiter = await open({
      mutant: 'a call that does not wait for the next connection',
      deadlineMs,
    })
    expect(await kill(limiter, redisUrl)).toBeGreaterThan(1)
  },
)
