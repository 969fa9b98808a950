import { DEFAULT_PREFIX, keyspace, type RedisConnection } from '@repo/redis'

export type BusKeys = ReturnType<typeof busKeys>

/** The end of the key of a value, after `valuePrefix` and the key of the cache. */
export const VALUE_SUFFIX = ':v'

/**
 * The keys and channels of a bus and of its caches, all in the slot of one hash tag.
 * - `meta` hash: `n` the last number of the log; `deferred` the first number that is not published
 *   yet; `group` the number of entries that were published together last, at `publishedAt` (ms);
 *   `floor` and `clear:<cache>` the number that a value must reach to be valid; `born` the time at which
 *   the list of members was started (ms)
 * - `log` stream: entry `<n>-0`, field `d`
 * - `news` channel: each entry is published on it when it is added. All databases of a server share
 *   their channels, so the name contains the number of the database. `legacyNews` is the name that the
 *   release before used, which is the name of the log in all databases
 * - `members` zset: `+<maxStaleMs>:<member>` -> end of its registration (ms); without `+` it is a
 *   member of the release before, which is not in the tally
 * - `tally`, `behind`, `waiting`: the numbers through which members have applied the log; see TALLY_KEYS
 * - `answers` channel of a member: an `Answer` or a `Tally` on it reports that its entries are applied
 * - `tag` string: the numbers of the last entries that invalidated and that softened the tag (16 digits
 *   each), then the time (ms) until which a value older than the second number may be served
 * - `value` string: ends in `:v`; the claim on its load ends in `:l`, and scripts derive it
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
    // The release before uses only this prefix.
    legacyNews: legacyNames && prefix === DEFAULT_PREFIX ? key('log') : undefined,
    members: key('members'),
    answers: (member: string) => key('answers', member),
    tagPrefix: key('tag', ''),
    valuePrefix: (cache: string) => key('value', cache, ''),
    clearField: (cache: string) => `clear:${cache}`,
  }
}
