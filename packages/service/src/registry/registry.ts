import { randomBytes } from 'node:crypto'
import { repeat } from '@repo/concurrency'
import type { Log } from '@repo/observability'
import { type RedisConnection, runScript } from '@repo/redis'
import { z } from 'zod'
import { type Fingerprint, findDrift, fingerprintOf, fingerprintSchema } from './fingerprint.ts'
import { createNeighbours } from './neighbours.ts'
import { announce, live, withdraw } from './scripts.ts'

/**
 * The record of an announced instance. Only its name and its app are required: a field that another
 * release omits or writes in another form gets a default. The settings of an instance without a
 * readable fingerprint are not compared.
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

/** An instance that is alive, as announced. `load` is the number of requests in flight. */
export type Instance = z.infer<typeof instanceSchema>

export interface Registry {
  /** Announces this instance now. @throws RedisError */
  announce(): Promise<void>
  /** Returns the instances whose lease has not expired by the clock of Redis. @throws RedisError */
  instances(): Promise<Instance[]>
  /**
   * Calls `onList` with all live instances after each announcement, once a second. The list is
   * part of the reply to the announcement. An announcement that fails makes no call.
   * @returns a function that ends the calls
   */
  onList(onList: (instances: readonly Instance[]) => void): () => void
  /** Returns the number of instances of an app at the last announcement, and 1 before the first. */
  count(app: string): number
  /**
   * Returns the settings in which this instance differed from the others at the last two
   * announcements. Empty until this instance has been listed for the duration of a lease.
   */
  drift(): string[]
  /** Returns the faults for `/health`: another process uses the name of this instance. */
  problems(): string[]
  /** Stops announcing and removes this instance from the list. */
  close(): Promise<void>
}

export interface RegistryOptions {
  redis: RedisConnection
  log: Log
  /** Returns the record to announce. Called for each announcement. */
  describe: () => Omit<Instance, 'fingerprint'>
  /** The settings that must be equal on all instances, as text. */
  settings: Record<string, string>
  everyMs?: number
  leaseMs?: number
  /** How long after this instance is listed, or listed again, no settings are compared, in ms. */
  calmMs?: number
}

/**
 * Announces this instance in Redis under a lease, and compares its settings with the settings of all
 * other instances. An instance that is killed is removed from the list within `leaseMs`. An instance
 * whose settings differ logs their names.
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
  let lastListed: Instance[] = []
  let lastDigest = ''
  let lastDrift: { instances: Instance[]; found: string[] } | undefined
  let lastFingerprint: { key: string; fingerprint: Fingerprint } | undefined
  const listeners = new Set<(instances: readonly Instance[]) => void>()
  let turn: Promise<unknown> = Promise.resolve()
  let closed = false
  /** The monotonic time in ms since which this instance has been listed without a break. */
  let listedSinceMs = Number.POSITIVE_INFINITY

  /** Repeats the announcement until it used the key of the cluster: at most once, usually. */
  async function announceNow(): Promise<void> {
    if (closed) return
    const self = describe()
    const used = key
    const fingerprint = fingerprintWith(used)
    const text = JSON.stringify({ ...self, fingerprint, process: neighbours.process })
    const reply = await redis.call((client) =>
      runScript(
        client,
        announce,
        [leases, records, keyName],
        [self.id, text, leaseMs, used, lastDigest],
      ),
    )
    const [agreed = used, replaced = '', digest = '', ...listed] = z.array(z.string()).parse(reply)
    key = agreed
    if (agreed !== used) return announceNow()
    // A list that has not changed is not sent again. This instance is in each list, so none is empty.
    if (listed.length > 0) {
      lastListed = listed.flatMap(parseInstance)
      lastDigest = digest
    }
    if (replaced === '') listedSinceMs = performance.now()
    noteDrift(lastListed)
    neighbours.note(self.id, replaced, lastListed, fingerprint)
    for (const onList of listeners) onList(lastListed)
  }

  function findOwnDrift(instances: Instance[]): string[] {
    if (lastDrift?.instances !== instances) {
      lastDrift = { instances, found: findDrift(instances).get(describe().id) ?? [] }
    }
    return lastDrift.found
  }

  /** The settings of an instance do not change, so its hashes depend on the key only. */
  function fingerprintWith(used: string): Fingerprint {
    if (lastFingerprint?.key !== used) {
      lastFingerprint = { key: used, fingerprint: fingerprintOf(settings, used) }
    }
    return lastFingerprint.fingerprint
  }

  function noteDrift(instances: Instance[]) {
    // The list may have been emptied before this instance was added. Every live instance is listed
    // again after the duration of a lease; until then, few instances are a majority.
    if (performance.now() - listedSinceMs < calmMs) return
    const found = findOwnDrift(instances)
    // Two results in a row: while instances are being added, few are briefly a majority.
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
    onList(onList) {
      listeners.add(onList)
      if (lastListed.length > 0) onList(lastListed)
      return () => void listeners.delete(onList)
    },
    count: (app) => Math.max(1, lastListed.filter((each) => each.app === app).length),
    drift: () => drift,
    problems: () => neighbours.problems(),
    async close() {
      closed = true
      // An announcement in flight would list this instance again.
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

/** Returns no instance for a record of another release that this one cannot read. */
function parseInstance(text: string): Instance[] {
  try {
    const parsed = instanceSchema.safeParse(JSON.parse(text))
    return parsed.success ? [parsed.data] : []
  } catch {
    return [] // no JSON
  }
}
