import type { Bus, Cache } from '@repo/cache-broadcast'
import type { BackgroundLog } from '@repo/concurrency'
import type { DatabaseConnection } from '@repo/database'
import type { Sessions, Settlement } from '@repo/session'
import { isUnavailable } from '../unavailable.ts'
import { KeyError } from './errors.ts'
import { createKeyTable, type Creation, type ListedKey, type NewKey } from './key-table.ts'
import { isKeyId, isSecretOf, type KeyText, parseKeyText } from './key-text.ts'
import { createKeyUses } from './key-uses.ts'
import { createKeyRecords, type KeyRecord } from './records.ts'
import { createUnknownKeys } from './unknown-keys.ts'

/** The reason for which a key is refused. Only a caller with the secret learns that it was valid. */
export type KeyFault = 'malformed' | 'unknown' | 'expired' | 'revoked'

export type KeyCheck =
  | { outcome: 'valid'; key: KeyRecord }
  | { outcome: 'refused'; fault: KeyFault }
  /** The network sent too many unknown keys. */
  | { outcome: 'throttled'; retryAfterSeconds: number }
  /** No store has the answer. The key must not be refused as unknown. */
  | { outcome: 'unavailable'; cause: unknown }

type KeyRevocation = { outcome: 'not-found' } | (Settlement & { revoked: 1 })

/** API keys of one instance. */
export interface Keys {
  /**
   * Identifies the user of a key. A key in memory is checked without a promise. Once `revoke` has
   * resolved as `confirmed`, no check that starts later accepts the key, on any instance (K2).
   *
   * @param ip the address of the client, for the count of unknown keys
   */
  check(text: string, ip: string): KeyCheck | Promise<KeyCheck>
  /** Creates a key. @throws an error of PostgreSQL */
  create(caller: { userId: string; sessionId: string }, newKey: NewKey): Promise<Creation>
  /** The keys of a user that are not revoked, at most 50, the newest first. */
  list(userId: string): Promise<ListedKey[]>
  /** Revokes a key of the user on all instances. @throws an error of PostgreSQL */
  revoke(userId: string, id: string): Promise<KeyRevocation>
  /** Writes the noted last uses. */
  flush(): Promise<void>
  /** For `cacheFigures` of `@repo/cache-broadcast`. */
  readonly cache: Pick<Cache<unknown>, 'name' | 'stats'>
  /** Writes the noted last uses. The owner closes the sessions, the bus and the database afterwards. */
  close(): Promise<void>
}

export interface KeysOptions {
  bus: Bus
  database: DatabaseConnection
  /** Their trust in cached credentials, their clock and their barrier are used for keys too. */
  sessions: Pick<Sessions, 'trust' | 'clock' | 'settle'>
  /** The interval at which last uses are written, in ms; 5,000 by default. */
  useMs?: number
  /** Unknown keys of one network and minute that are looked up; 100 by default. */
  maxUnknown?: number
  /** The bits of an IPv6 address that name its network; 64 by default. */
  ipv6Prefix?: 48 | 56 | 64
  log?: BackgroundLog | undefined
}

const MALFORMED: KeyCheck = { outcome: 'refused', fault: 'malformed' }
const UNKNOWN: KeyCheck = { outcome: 'refused', fault: 'unknown' }
const EXPIRED: KeyCheck = { outcome: 'refused', fault: 'expired' }
const REVOKED: KeyCheck = { outcome: 'refused', fault: 'revoked' }

/** Checks, creates and revokes API keys. PostgreSQL has the truth. */
export function createKeys(options: KeysOptions): Keys {
  const { bus, database, sessions, log } = options
  const { trust, clock } = sessions
  const records = createKeyRecords({ bus, database, sessions })
  const table = createKeyTable(database)
  const uses = createKeyUses({ database, sessions, everyMs: options.useMs, log })
  const unknownKeys = createUnknownKeys({
    max: options.maxUnknown,
    ipv6Prefix: options.ipv6Prefix,
  })
  const running = new Set<string>()

  function judge(record: KeyRecord, { secret }: KeyText): KeyCheck {
    if (!isSecretOf(secret, record.hash)) return UNKNOWN
    if (record.isRevoked) return REVOKED
    // A key that never expires has no time: one clock for the others, that of the database.
    if (record.expiresMs !== null && record.expiresMs <= clock.nowMs()) return EXPIRED
    uses.note(record.id)
    return { outcome: 'valid', key: record }
  }

  /** Looks a key up. Callers with the same key share one lookup, which only the first one pays for. */
  async function find(sent: KeyText, ip: string, isCached: boolean): Promise<KeyCheck> {
    const { id } = sent
    const lookup = running.has(id) ? undefined : unknownKeys.begin(ip)
    if (!lookup && !running.has(id)) {
      return { outcome: 'throttled', retryAfterSeconds: unknownKeys.secondsLeft(ip) }
    }
    if (lookup) running.add(id)
    let isUnknown = false
    try {
      const { found, isLoaded } = await (isCached ? records.read(id) : records.readDirect(id))
      isUnknown = !found && isLoaded
      return found ? judge(found, sent) : UNKNOWN
    } catch (cause) {
      if (!(cause instanceof KeyError || isUnavailable(cause))) throw cause
      return { outcome: 'unavailable', cause }
    } finally {
      if (lookup) running.delete(id)
      lookup?.end(isUnknown)
    }
  }

  /** Whether cached records may be used (K2, K3). */
  function isTrusted(): boolean {
    return trust?.holds() ?? false
  }

  function findTrusted(sent: KeyText, ip: string): KeyCheck | Promise<KeyCheck> {
    const cached = records.peek(sent.id)
    return cached ? judge(cached, sent) : find(sent, ip, true)
  }

  /** One round trip to Redis renews the trust for all checks that wait, before PostgreSQL is read. */
  async function findAfterLapse(sent: KeyText, ip: string): Promise<KeyCheck> {
    await trust?.renew()
    return isTrusted() ? findTrusted(sent, ip) : find(sent, ip, false)
  }

  return {
    check(text, ip) {
      const sent = parseKeyText(text)
      if (!sent) return MALFORMED
      return isTrusted() ? findTrusted(sent, ip) : findAfterLapse(sent, ip)
    },
    create: (caller, newKey) => table.create(caller, newKey),
    list: (userId) => table.list(userId),
    async revoke(userId, id) {
      if (!isKeyId(id) || !(await table.revoke(userId, id))) return { outcome: 'not-found' }
      return { revoked: 1, ...(await sessions.settle({ confirm: 'all' })) }
    },
    flush: () => uses.flush(),
    cache: records.cache,
    async close() {
      await uses.close()
      records.cache.close()
    },
  }
}
