import type { Redis } from 'ioredis'

/** A limiter to measure: one check of request number `i`. */
export interface Contender {
  name: string
  check: (i: number) => Promise<unknown>
}

/** What one check costs. */
export interface Cost {
  perSecond: number
  /** Microseconds of CPU of this process, and of the server. */
  clientUs: number
  serverUs: number
}

/**
 * Runs contenders in turns, so that a busy machine disturbs all alike; the best round counts. Each has
 * a second before that, in which its code is compiled.
 */
export async function measure(
  contenders: Contender[],
  {
    redis,
    width,
    rounds = 5,
    ms = 250,
  }: { redis: Redis; width: number; rounds?: number; ms?: number },
): Promise<Map<string, Cost>> {
  const best = new Map<string, Cost>()
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, check } of contenders) {
      const cost = await once(check, redis, width, round < 0 ? WARM_UP_MS : ms)
      if (round < 0) continue
      const before = best.get(name)
      best.set(name, before ? lesser(before, cost) : cost)
    }
  }
  return best
}

const WARM_UP_MS = 1_000

function lesser(a: Cost, b: Cost): Cost {
  return {
    perSecond: Math.max(a.perSecond, b.perSecond),
    clientUs: Math.min(a.clientUs, b.clientUs),
    serverUs: Math.min(a.serverUs, b.serverUs),
  }
}

let numbers = 0

async function once(
  check: Contender['check'],
  redis: Redis,
  width: number,
  ms: number,
): Promise<Cost> {
  const serverBefore = await serverCpuUs(redis)
  const clientBefore = process.cpuUsage()
  const startedMs = performance.now()
  const untilMs = startedMs + ms
  let done = 0
  async function work() {
    while (performance.now() < untilMs) {
      for (let i = 0; i < 16; i += 1) {
        numbers += 1
        await check(numbers)
        done += 1
      }
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  const spentMs = performance.now() - startedMs
  const { user, system } = process.cpuUsage(clientBefore)
  const serverUs = (await serverCpuUs(redis)) - serverBefore
  return {
    perSecond: (done / spentMs) * 1_000,
    clientUs: (user + system) / done,
    serverUs: serverUs / done,
  }
}

async function serverCpuUs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu')
  const of = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0)
  return (of('used_cpu_user') + of('used_cpu_sys')) * 1e6
}

/** A line of the report: what was measured, and whether it is within its target. */
export function line(what: string, measured: number, sign: '>=' | '<=', target: number) {
  const met = sign === '>=' ? measured >= target : measured <= target
  return {
    what,
    measured: measured.toFixed(2),
    target: `${sign} ${target}`,
    met: met ? 'yes' : 'NO',
  }
}
