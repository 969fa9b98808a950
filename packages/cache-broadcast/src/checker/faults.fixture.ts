import { setTimeout as pause } from 'node:timers/promises'
import type { Valkey } from '@repo/embedded'
import type { Replica, TcpProxy } from '@repo/testing'
import { Redis } from 'ioredis'
import { busKeys } from '../bus/keys.ts'

const { log: LOG } = busKeys('checker')

export interface Injury {
  three: Replica[]
  proxies: TcpProxy[]
  valkey: Valkey
  random: () => number
  kinds: Fault[]
  ending: AbortSignal
}

/** Injects faults into one process at a time until the end; returns the number of faults. */
export async function injure({
  three,
  proxies,
  valkey,
  random,
  kinds,
  ending,
}: Injury): Promise<number> {
  let faults = 0
  while (!ending.aborted) {
    const victim = Math.floor(random() * 3)
    const ms = 100 + random() * 700
    const kind = kinds[Math.floor(random() * kinds.length)]!
    await FAULTS[kind]({ replica: three[victim]!, proxy: proxies[victim]!, valkey, ms })
    faults += 1
    await pause(random() * 200)
  }
  return faults
}

interface Target {
  replica: Replica
  proxy: TcpProxy
  valkey: Valkey
  ms: number
}

const FAULTS = {
  async reset({ proxy }: Target) {
    await proxy.cut()
    await proxy.heal()
  },
  async partition({ proxy, ms }: Target) {
    await proxy.cut()
    await pause(ms)
    await proxy.heal()
  },
  async halfOpen({ proxy, ms }: Target) {
    proxy.halfOpen()
    await pause(ms)
    await proxy.heal()
  },
  async freeze({ replica, ms }: Target) {
    replica.stop()
    await pause(ms)
    replica.continue()
  },
  async slow({ proxy, ms }: Target) {
    proxy.delay(30)
    await pause(ms)
    proxy.delay(0)
  },
  /** A process is cut off, and the log no longer has the entries that it missed. */
  async outrun({ proxy, valkey, ms }: Target) {
    await proxy.cut()
    await pause(ms)
    await command(valkey, (redis) => redis.xtrim(LOG, 'MAXLEN', 0))
    await proxy.heal()
  },
  /** The log is emptied while a process is stopped. */
  async trimmed({ valkey, replica, ms }: Target) {
    replica.stop()
    await pause(ms / 2)
    await command(valkey, (redis) => redis.xtrim(LOG, 'MAXLEN', 0))
    replica.continue()
  },
  async emptied({ valkey }: Target) {
    await command(valkey, (redis) => redis.flushall())
  },
  async restart({ valkey }: Target) {
    await valkey.kill()
    await valkey.restart()
  },
}

export type Fault = keyof typeof FAULTS

export const everyFault: Fault[] = [
  ...(['reset', 'partition', 'halfOpen', 'freeze', 'slow'] as const),
  ...(['outrun', 'trimmed', 'emptied', 'restart'] as const),
]

async function command(valkey: Valkey, run: (redis: Redis) => Promise<unknown>) {
  const redis = new Redis(valkey.url)
  await run(redis)
  redis.disconnect()
}
