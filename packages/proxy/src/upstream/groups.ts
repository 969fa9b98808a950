/** A group of targets of an upstream, such as a canary release. */
export interface Weighted {
  readonly name: string
  readonly weight: number
}

const fnvOffset = 0x811c9dc5
const fnvPrime = 0x01000193

/** Returns a number from 0 to 1, without 1, that is equal for equal keys on all instances (FNV-1a). */
export function hashOf(key: string): number {
  let hash = fnvOffset
  for (let i = 0; i < key.length; i += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(i), fnvPrime)
  }
  // FNV-1a leaves keys that differ in the last character close together.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/**
 * Returns the group of a point from 0 to 1, each with its share of the weights. When the weight of the
 * last group grows, each key that it had remains in it.
 */
export function groupAt<G extends Weighted>(groups: readonly G[], point: number): G | undefined {
  let left = point * groups.reduce((sum, { weight }) => sum + weight, 0)
  for (const group of groups) {
    left -= group.weight
    if (left < 0) return group
  }
  return groups.at(-1)
}
