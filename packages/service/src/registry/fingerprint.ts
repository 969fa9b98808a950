import { createHmac } from 'node:crypto'
import { z } from 'zod'

/** Setting name -> keyed hash of its value. */
export type Fingerprint = Record<string, string>

const HASH = /^[\w-]{12}$/

/** Reads a fingerprint. Hashes in the form of another release are left out: they equal none of ours. */
export const fingerprintSchema = z
  .record(z.string(), z.string())
  .transform((hashes): Fingerprint => {
    return Object.fromEntries(Object.entries(hashes).filter(([, hash]) => HASH.test(hash)))
  })

/**
 * A keyed hash of each setting on which all instances must agree. The key is random per cluster and
 * kept in Redis: without it the hashes can be compared but say nothing of a value. Who reads Redis
 * has both, and could test guesses at a weak one.
 */
export function fingerprintOf(settings: Record<string, string>, key: string): Fingerprint {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      createHmac('sha256', key).update(`${name}\0${value}`).digest('base64url').slice(0, 12),
    ]),
  )
}

/** One short word for a whole fingerprint, for people to compare. */
export function digestOf(fingerprint: Fingerprint): string {
  const text = JSON.stringify(
    Object.entries(fingerprint).toSorted(([a], [b]) => a.localeCompare(b)),
  )
  return createHmac('sha256', 'fingerprint').update(text).digest('hex').slice(0, 8)
}

export interface Fingerprinted {
  id: string
  startedAt: string
  fingerprint: Fingerprint
}

/**
 * Instance id -> the settings in which it differs from the others. A setting's right value is the
 * one that most live instances have; when two are as common, the one of the instance that was there
 * first. Settings are compared across apps: a session secret must match wherever it is used.
 */
export function findDrift(instances: readonly Fingerprinted[]): Map<string, string[]> {
  // Their clocks may differ: any order does, as long as all instances see the same one.
  const byAge = instances.toSorted(
    (a, b) => a.startedAt.localeCompare(b.startedAt) || a.id.localeCompare(b.id),
  )
  const names = new Set(byAge.flatMap(({ fingerprint }) => Object.keys(fingerprint)))
  const drift = new Map(byAge.map(({ id }) => [id, [] as string[]]))
  for (const name of names) {
    const agreed = mostCommon(byAge.flatMap(({ fingerprint }) => fingerprint[name] ?? []))
    for (const { id, fingerprint } of byAge) {
      const value = fingerprint[name]
      if (value !== undefined && value !== agreed) drift.get(id)?.push(name)
    }
  }
  return drift
}

function mostCommon(values: string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  // Map keeps insertion order, so among equals the oldest instance's value is met first.
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best), ['', 0] as [
    string,
    number,
  ])[0]
}
