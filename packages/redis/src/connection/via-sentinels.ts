import type { RedisOptions } from 'ioredis'
import { parseAddress, parseRedisUrl } from './address.ts'
import { tlsFor } from './tls.ts'

/** How a connection gets in at the sentinels, which have users of their own. */
export interface SentinelAccess {
  sentinelUsername?: string | undefined
  sentinelPassword?: string | undefined
  /** Whether sentinels speak TLS; as the URL says by default. */
  sentinelTls?: boolean | undefined
}

/**
 * Asks the sentinels (`host:port` each) who is the primary, at each new connection: after a failover
 * it is another one. The host of the URL is the name by which they know it.
 * @throws RedisError `bad-option` for a malformed URL or sentinel
 */
export function viaSentinels(
  url: string,
  sentinels: readonly string[],
  { sentinelUsername, sentinelPassword, sentinelTls }: SentinelAccess = {},
) {
  const { host, tls, username, password, database } = parseRedisUrl(url)
  const addresses = sentinels.map((sentinel) => parseAddress(sentinel, 26_379))
  // The address that sentinels announce is often not the name in the certificate.
  const secure = tlsFor(addresses.map((address) => address.host))
  return {
    ...(username && { username }),
    ...(password && { password }),
    name: host,
    sentinels: addresses,
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
    ...((sentinelTls ?? tls) && { sentinelTLS: secure }),
    sentinelRetryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000),
    // Of each sentinel, and by real time: after a pause, the next one is queried.
    connectTimeout: 500,
    sentinelCommandTimeout: 500,
    enableTLSForSentinelMode: tls,
    ...(tls && { tls: secure }),
    db: database,
  } satisfies RedisOptions
}
