import { createHmac } from 'node:crypto'
import { z } from 'zod'

/** Keyed hashes of values, by the name of the setting. */
export type Fingerprint = Record<string, string>

const HASH = /^[\w-]{12}$/

/** Reads a fingerprint. Hashes in the form of another release are left out: they cannot be compared. */
export const fingerprintSchema = z
  .record(z.string(), z.string())
  .transform((hashes): Fingerprint => {
    return Object.fromEntries(Object.entries(hashes).filter(([, hash]) => HASH.test(hash)))
  })

/**
 * Returns a keyed hash of each setting that must be equal on all instances. The key is random for
 * each cluster and stored in Redis. Without the key, hashes can be compared but reveal no value. A
 * reader of Redis has both, and could test guesses of a weak value.
 */
export function fingerprintOf(settings: Record<string, string>, key: string): Fingerprint {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      createHmac('sha256', key).update(`${name}\0${value}`).digest('base64url').slice(0, 12),
    ]),
  )
}

/** Returns a short digest of a fingerprint, which people can compare. */
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
 * Returns the settings in which each instance differs from the others, by instance id. The right
 * value of a setting is the most common one; if two are equally common, it is the value of the
 * instance that started first. Settings are compared across apps: auth and gateway share a secret.
 */
export function findDrift(instances: readonly Fingerprinted[]): Map<string, string[]> {
  // Clocks can differ: any order is valid if all instances use the same one.
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
  // A Map has insertion order, so of equal counts the value of the oldest instance comes first.
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best), ['', 0] as [
    string,
    number,
  ])[0]
}
