import { randomBytes } from 'node:crypto'
import { keyspace, type RedisConnection, runScript } from '@repo/redis'
import { z } from 'zod'
import { findDrift, type Fingerprint, fingerprintOf } from './fingerprint.ts'
import type { Log } from './log.ts'
import { announce, live, withdraw } from './registry-scripts.ts'

const key = keyspace('cluster')
const LEASES = key('leases')
const INSTANCES = key('instances')
const FINGERPRINT_KEY = key('fingerprint-key')

const instance = z.object({
  id: z.string(),
  app: z.string(),
  version: z.string(),
  url: z.string(),
  startedAt: z.string(),
  ready: z.boolean(),
  load: z.number(),
  fingerprint: z.record(z.string(), z.string()),
})

/** A live instance as it announced itself. `load` is the number of requests in flight. */
export type Instance = z.infer<typeof instance>

export interface Registry {
  /** Announces this instance now. @throws RedisError */
  announce(): Promise<void>
  /** Every instance whose lease is not over, by Redis's clock. @throws RedisError */
  instances(): Promise<Instance[]>
  /** The settings in which this instance differed from the others when it last announced itself. */
  drift(): string[]
  /** Stops announcing and takes this instance off the list. */
  close(): Promise<void>
}

export interface RegistryOptions {
  redis: RedisConnection
  log: Log
  /** What is announced, asked anew each time. */
  describe: () => Omit<Instance, 'fingerprint'>
  /** The settings on which all instances must agree, as text. */
  settings: Record<string, string>
  everyMs?: number
  leaseMs?: number
}

/**
 * Announces this instance in Redis under a lease, and compares its settings with those of all
 * others. An instance that is killed is off the list within `leaseMs`; one whose settings drift is
 * told which.
 */
export function createRegistry({
  redis,
  log,
  describe,
  settings,
  everyMs = 1_000,
  leaseMs = 5_000,
}: RegistryOptions): Registry {
  const candidate = randomBytes(32).toString('base64url')
  let fingerprintKey = candidate
  let fingerprint: Fingerprint = fingerprintOf(settings, fingerprintKey)
  let drift: string[] = []

  async function announceOnce(): Promise<boolean> {
    const self = JSON.stringify({ ...describe(), fingerprint })
    const args = [describe().id, self, leaseMs, candidate]
    const reply = await redis.call((client) =>
      runScript(client, announce, [LEASES, INSTANCES, FINGERPRINT_KEY], args),
    )
    const [currentKey, ...others] = z.array(z.string()).parse(reply)
    if (currentKey !== fingerprintKey && currentKey !== undefined) {
      // Another instance chose the key, or Redis lost it: hashes under another key say nothing.
      fingerprintKey = currentKey
      fingerprint = fingerprintOf(settings, fingerprintKey)
      return false
    }
    noteDrift(others.map(parseInstance))
    return true
  }

  function noteDrift(instances: Instance[]) {
    const found = findDrift(instances).get(describe().id) ?? []
    if (found.join() !== drift.join()) {
      const fields = { event: 'config.drift', settings: found }
      if (found.length > 0) log.warn(fields, `differs from other instances in ${found.join(', ')}`)
      else log.info(fields, 'agrees with the other instances again')
    }
    drift = found
  }

  async function announceNow() {
    if (!(await announceOnce())) await announceOnce()
  }

  const timer = setInterval(() => {
    // Redis being away is logged by the connection; the next turn announces again.
    announceNow().catch((error: unknown) => log.debug({ err: error }, 'not announced'))
  }, everyMs)
  timer.unref()

  return {
    announce: announceNow,
    async instances() {
      const reply = await redis.call((client) => runScript(client, live, [LEASES, INSTANCES]))
      const listed = z.array(z.string().nullable()).parse(reply)
      return listed
        .flatMap((text) => (text === null ? [] : parseInstance(text)))
        .toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
    },
    drift: () => drift,
    async close() {
      clearInterval(timer)
      await redis
        .call((client) => runScript(client, withdraw, [LEASES, INSTANCES], [describe().id]))
        .catch((error: unknown) => log.debug({ err: error }, 'the lease will end by itself'))
    },
  }
}

function parseInstance(text: string): Instance {
  return instance.parse(JSON.parse(text))
}
