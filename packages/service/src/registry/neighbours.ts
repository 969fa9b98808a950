import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Log } from '@repo/observability'
import { z } from 'zod'
import { type Fingerprint, fingerprintSchema } from './fingerprint.ts'

/** The process behind an announced instance; absent where another release announces it otherwise. */
const recordSchema = z.object({
  id: z.string(),
  fingerprint: fingerprintSchema.catch({}),
  process: z
    .object({ nonce: z.string(), host: z.string(), pid: z.number() })
    .optional()
    .catch(undefined),
})

/** A process under one name is gone when the record was not replaced this many times. */
const CALM_ROUNDS = 3

/** The settings that tell deployments apart. */
const DEPLOYMENT = ['ORIGIN', 'DATABASE_URL']

type Neighbour = Pick<z.infer<typeof recordSchema>, 'id' | 'fingerprint'>

/**
 * Finds processes that should not be beside this one: another one with its INSTANCE_ID, and
 * instances of another deployment under the same prefix of keys.
 */
export function createNeighbours({ log, prefix }: { log: Log; prefix: string }) {
  const own = { nonce: randomUUID(), host: hostname(), pid: process.pid }
  let hasAnnounced = false
  let calmRounds = 0
  let duplicate: string | undefined
  let strangers = ''
  let lastIds = ''

  function noteRecord(id: string, replaced: string) {
    // The first record that is replaced may be that of an earlier process, which was killed.
    if (!hasAnnounced) {
      hasAnnounced = true
      return
    }
    const other = replaced === '' ? undefined : parse(replaced)?.process
    if (replaced !== '' && other?.nonce !== own.nonce) {
      calmRounds = 0
      const which = other ? ` (pid ${other.pid} on host ${other.host})` : ''
      const text = `INSTANCE_ID ${id} is also used by another process${which}: give each its own`
      if (duplicate === undefined) log.error({ event: 'instance.duplicate', other }, text)
      duplicate = text
    } else if (duplicate !== undefined && ++calmRounds >= CALM_ROUNDS) {
      duplicate = undefined
      log.info({ event: 'instance.unique' }, `no other process uses INSTANCE_ID ${id} any more`)
    }
  }

  function noteStrangers(id: string, instances: readonly Neighbour[], mine: Fingerprint) {
    const differs = (other: Fingerprint) =>
      DEPLOYMENT.some((name) => mine[name] && other[name] && mine[name] !== other[name])
    const found = instances.filter((it) => it.id !== id && differs(it.fingerprint))
    const ids = found.map((it) => it.id).join(', ')
    // Twice in a row: hashes under a key that Redis lost differ for a moment.
    const isLasting = ids === lastIds
    lastIds = ids
    if (!isLasting) return
    if (ids !== '' && strangers === '') {
      log.warn(
        { event: 'deployment.stranger', prefix, instances: ids },
        `another deployment is registered in this Redis (${ids}): ` +
          `give each deployment its own REDIS_PREFIX or database; this one is ${prefix}`,
      )
    }
    strangers = ids
  }

  return {
    /** What this process adds to its record. */
    process: own,
    /**
     * Called after each announcement.
     * @param replaced the record that it replaced, or ''
     */
    note(id: string, replaced: string, instances: readonly Neighbour[], mine: Fingerprint): void {
      const before = parse(replaced)
      // Under this instance's own name: another one if it differs.
      const others = before ? [{ ...before, id: `another ${before.id}` }] : []
      noteStrangers(id, [...others, ...instances], mine)
      noteRecord(id, replaced)
    },
    /** What `/health` shows. */
    problems: (): string[] => (duplicate === undefined ? [] : [duplicate]),
  }
}

function parse(text: string): z.infer<typeof recordSchema> | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // no JSON
  }
}
