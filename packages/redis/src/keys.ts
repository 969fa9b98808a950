/**
 * Names the keys of one concern: `keyspace('cluster')('instances')` is
 * `threefold:{cluster}:instances`. The concern is the hash tag, so that on Redis Cluster all its
 * keys are in one slot and one script can touch them.
 */
export function keyspace(concern: string) {
  return function key(...parts: string[]): string {
    return ['threefold', `{${concern}}`, ...parts].join(':')
  }
}
