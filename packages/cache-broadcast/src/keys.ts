import { DEFAULT_PREFIX, keyspace, type RedisConnection } from '@repo/redis'

export type BusKeys = ReturnType<typeof busKeys>

/**
 * Every key of a bus and of its caches, all in the slot of its hash tag.
 * - `meta` hash: `n` the log's last number, `floor` and `clear:<cache>` the number that a value must
 *   reach to be valid, `born` when the list of members was started (ms)
 * - `log` stream: entry `<n>-0`, field `d`
 * - `news` channel on which each entry is published as it is added. Channels are the same in all
 *   databases of a server, so its name contains the number. `legacyNews` is the name that the release
 *   before used: the same in all databases, and the log's own
 * - `members` zset: `<maxStaleMs>:<member>` -> end of its registration (ms)
 * - `answers` channel of a member: who applied what it waits for
 * - `tag` string: the numbers of the last entries that invalidated and that softened it (16 digits
 *   each), then until when (ms) what is older than the second may bridge a refresh
 * - `value` ends in `:v`, the claim on loading it in `:l`: scripts derive one from the other
 */
export function busKeys(
  bus: string,
  {
    prefix = DEFAULT_PREFIX,
    database = 0,
    legacyNames = true,
  }: Partial<Pick<RedisConnection, 'prefix' | 'database' | 'legacyNames'>> = {},
) {
  const key = keyspace(`bus-${bus}`, { prefix })
  return {
    meta: key('meta'),
    log: key('log'),
    news: key('news', String(database)),
    // The release before has no other prefix.
    legacyNews: legacyNames && prefix === DEFAULT_PREFIX ? key('log') : undefined,
    members: key('members'),
    answers: (member: string) => key('answers', member),
    tagPrefix: key('tag', ''),
    valuePrefix: (cache: string) => key('value', cache, ''),
    clearField: (cache: string) => `clear:${cache}`,
  }
}

/** The key of a value; `prefix` is the cache's `valuePrefix`. */
export function valueKey(prefix: string, key: string): string {
  return `${prefix}${key}:v`
}
