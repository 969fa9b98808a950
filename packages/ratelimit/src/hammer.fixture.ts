import { serveReplica } from '@repo/testing/replica'
import type { connectLimiterRedis, createRateLimiter, PolicyInput, RateLimiter } from './index.ts'

/** One of the attackers: a process with a limiter and its own clock. */
interface Library {
  connectLimiterRedis: typeof connectLimiterRedis
  createRateLimiter: typeof createRateLimiter
}

export interface Opening {
  url: string
  source: string
  skewMs: number
  denyCacheKeys: number
  policies: PolicyInput[]
}

export interface Attack {
  policies: string[]
  subject: Record<string, string>
  /** Takes in flight at any time. */
  width: number
  /** By the machine's monotonic clock, which all processes share. */
  fromMs: number
  untilMs: number
}

/** When an admitted take was sent and answered; with leases, how long it was surely held. */
export type Span = [fromMs: number, toMs: number]

let limiter: RateLimiter

const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

serveReplica({
  async open({ url, source, skewMs, policies, denyCacheKeys }: Opening) {
    const wall = Date.now
    Date.now = () => wall() + skewMs
    const library: Library = await import(source)
    const redis = library.connectLimiterRedis({ url, name: 'attacker', deadlineMs: 5_000 })
    await redis.ready()
    limiter = library.createRateLimiter({ redis, policies, denyCacheKeys })
  },
  async attack({ policies, subject, width, fromMs, untilMs }: Attack): Promise<Span[]> {
    const admitted: Span[] = []
    async function hammer() {
      while (nowMs() < untilMs) {
        const sentMs = nowMs()
        if (sentMs < fromMs) {
          await new Promise(setImmediate)
          continue
        }
        const { outcome } = await limiter.take(policies, subject)
        if (outcome === 'allowed') admitted.push([sentMs, nowMs()])
        // A refusal from memory resolves at once: other takes get their turn.
        await new Promise(setImmediate)
      }
    }
    await Promise.all(Array.from({ length: width }, hammer))
    return admitted
  },
  async hold({ policies, subject, width, untilMs }: Attack): Promise<Span[]> {
    const held: Span[] = []
    async function grab() {
      while (nowMs() < untilMs) {
        const decision = await limiter.take(policies, subject)
        if (decision.outcome === 'allowed') {
          const fromMs = nowMs()
          await new Promise(setImmediate)
          held.push([fromMs, nowMs()])
        }
        await decision.release()
        await new Promise(setImmediate)
      }
    }
    await Promise.all(Array.from({ length: width }, grab))
    return held
  },
  async leased(): Promise<number> {
    return limiter.stats().fromLease
  },
  async left({ policies, subject }: Attack): Promise<number[]> {
    const { limits } = await limiter.peek(policies, subject)
    return limits.map(({ remaining }) => remaining)
  },
})
