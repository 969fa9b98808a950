import { randomBytes } from 'node:crypto'
import { repeat } from '@repo/concurrency'
import type { Log } from '@repo/observability'
import { type RedisConnection, runScript } from '@repo/redis'
import { z } from 'zod'
import { findDrift, fingerprintOf, fingerprintSchema } from './fingerprint.ts'
import { createNeighbours } from './neighbours.ts'
import { announce, live, withdraw } from './scripts.ts'

/**
 * An announced instance, read from where others wrote it. Only its name and its app are needed: what
 * another release leaves out, or writes in another form, is replaced. An instance without a readable
 * fingerprint is compared with none.
 */
export const instanceSchema = z.object({
  id: z.string(),
  app: z.string(),
  version: z.string().catch(''),
  url: z.string().catch(''),
  startedAt: z.iso.datetime({ offset: true }).catch('9999-12-31T23:59:59.999Z'),
  ready: z.boolean().catch(false),
  load: z.number().catch(0),
  fingerprint: fingerprintSchema.catch({}),
})

/** A live instance as it announced itself. `load` is the number of requests in flight. */
export type Instance = z.infer<typeof instanceSchema>

export interface Registry {
  /** Announces this instance now. @throws RedisError */
  announce(): Promise<void>
  /** Every instance whose lease is not over, by Redis's clock. @throws RedisError */
  instances(): Promise<Instance[]>
  /** How many instances of an app lived when this one last announced itself; 1 if it never could. */
  count(app: string): number
  /**
   * The settings in which this instance differed from the others the last two times it looked, from a
   * lease after it was listed.
   */
  drift(): string[]
  /** Faults of this deployment that `/health` shows: another process has the name of this instance. */
  problems(): string[]
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
  /** For how long after this instance was listed, or listed again, no settings are compared. */
  calmMs?: number
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
  calmMs = leaseMs,
}: RegistryOptions): Registry {
  const name = redis.keyspace('cluster')
  const [leases, records, keyName] = [name('leases'), name('instances'), name('fingerprint-key')]
  const neighbours = createNeighbours({ log, prefix: redis.prefix })
  let key = randomBytes(32).toString('base64url')
  let lastSeen: string[] = []
  let drift: string[] = []
  let known: Instance[] = []
  let turn: Promise<unknown> = Promise.resolve()
  let closed = false
  /** Since when (monotonic ms) this instance is listed without a break. */
  let listedSinceMs = Number.POSITIVE_INFINITY

  /** Until the key that was used is the cluster's: one more time, unless Redis is emptied meanwhile. */
  async function announceNow(): Promise<void> {
    if (closed) return
    const self = describe()
    const used = key
    const fingerprint = fingerprintOf(settings, used)
    const text = JSON.stringify({ ...self, fingerprint, process: neighbours.process })
    const reply = await redis.call((client) =>
      runScript(client, announce, [leases, records, keyName], [self.id, text, leaseMs, used]),
    )
    const [agreed = used, replaced = '', ...listed] = z.array(z.string()).parse(reply)
    key = agreed
    if (agreed !== used) return announceNow()
    known = listed.flatMap(parseInstance)
    if (replaced === '') listedSinceMs = performance.now()
    noteDrift(known)
    neighbours.note(self.id, replaced, known, fingerprint)
  }

  function noteDrift(instances: Instance[]) {
    // This instance was not listed before: the list may have been emptied. Every live instance is on
    // it again after a lease; until then few are a majority.
    if (performance.now() - listedSinceMs < calmMs) return
    const found = findDrift(instances).get(describe().id) ?? []
    // Twice in a row: while instances come, few are a majority for a moment.
    const isLasting = found.join() === lastSeen.join()
    lastSeen = found
    if (!isLasting) return
    if (found.join() !== drift.join()) {
      const fields = { event: 'config.drift', settings: found }
      if (found.length > 0) log.warn(fields, `differs from other instances in ${found.join(', ')}`)
      else log.info(fields, 'agrees with the other instances again')
    }
    drift = found
  }

  function announceInTurn(): Promise<void> {
    const announced = announceNow()
    turn = Promise.allSettled([turn, announced])
    return announced
  }

  const announcing = repeat({ task: 'registry.announce', work: announceInTurn, everyMs, log })

  return {
    announce: announceInTurn,
    async instances() {
      const reply = await redis.call((client) => runScript(client, live, [leases, records]))
      const listed = z.array(z.string().nullable()).parse(reply)
      return listed
        .flatMap((text) => (text === null ? [] : parseInstance(text)))
        .toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
    },
    count: (app) => Math.max(1, known.filter((each) => each.app === app).length),
    drift: () => drift,
    problems: () => neighbours.problems(),
    async close() {
      closed = true
      // An announcement on its way would list this instance again.
      await Promise.all([announcing.close(), turn])
      await redis
        .call((client) => {
          const args = [describe().id, neighbours.process.nonce]
          return runScript(client, withdraw, [leases, records], args)
        })
        .catch((error: unknown) => log.debug({ err: error }, 'the lease will end by itself'))
    },
  }
}

/** None for what another release announced in a way that this one cannot read. */
function parseInstance(text: string): Instance[] {
  try {
    const parsed = instanceSchema.safeParse(JSON.parse(text))
    return parsed.success ? [parsed.data] : []
  } catch {
    return [] // no JSON
  }
}
