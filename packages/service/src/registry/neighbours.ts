import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Log } from '@repo/observability'
import { z } from 'zod'
import { type Fingerprint, fingerprintSchema } from './fingerprint.ts'

/** The record of an instance. `process` is absent if another release writes it in another form. */
const recordSchema = z.object({
  id: z.string(),
  fingerprint: fingerprintSchema.catch({}),
  process: z
    .object({ nonce: z.string(), host: z.string(), pid: z.number() })
    .optional()
    .catch(undefined),
})

/** Announcements without a replaced record after which the other process has ended. */
const CALM_ROUNDS = 3

/** The settings that differ between deployments. */
const DEPLOYMENT = ['ORIGIN', 'DATABASE_URL']

type Neighbour = Pick<z.infer<typeof recordSchema>, 'id' | 'fingerprint'>

/**
 * Detects faulty neighbours: another process with the INSTANCE_ID of this one, and instances of
 * another deployment under the same key prefix.
 */
export function createNeighbours({ log, prefix }: { log: Log; prefix: string }) {
  const self = { nonce: randomUUID(), host: hostname(), pid: process.pid }
  let hasAnnounced = false
  let calmRounds = 0
  let duplicate: string | undefined
  let strangers = ''
  let lastIds = ''
  let lastParsed: { text: string; record: ReturnType<typeof parse> } | undefined

  /** At rest an instance replaces the same record each time. */
  function parseOnce(text: string) {
    if (lastParsed?.text !== text) lastParsed = { text, record: parse(text) }
    return lastParsed.record
  }

  function noteRecord(id: string, replaced: string) {
    // The first replaced record can be the record of an earlier process, which was killed.
    if (!hasAnnounced) {
      hasAnnounced = true
      return
    }
    const other = replaced === '' ? undefined : parseOnce(replaced)?.process
    if (replaced !== '' && other?.nonce !== self.nonce) {
      calmRounds = 0
      const which = other ? ` (pid ${other.pid} on host ${other.host})` : ''
      const text = `INSTANCE_ID ${id} is also used by another process${which}: give each process its own INSTANCE_ID`
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
    const found = instances.filter((each) => each.id !== id && differs(each.fingerprint))
    const ids = found.map((each) => each.id).join(', ')
    // Two results in a row: hashes made with a key that Redis has lost differ for a moment.
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
    /** The part of the record that identifies this process. */
    process: self,
    /**
     * Called after each announcement.
     * @param replaced the record that the announcement replaced, or ''
     */
    note(id: string, replaced: string, instances: readonly Neighbour[], mine: Fingerprint): void {
      const before = parseOnce(replaced)
      // A replaced record under the name of this instance is another instance if it differs.
      const others = before ? [{ ...before, id: `another ${before.id}` }] : []
      noteStrangers(id, [...others, ...instances], mine)
      noteRecord(id, replaced)
    },
    /** Returns the faults for `/health`. */
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
