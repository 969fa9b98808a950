import type { RedisOptions } from 'ioredis'
import { parseAddress, parseRedisUrl } from './address.ts'
import { tlsFor } from './tls.ts'

/** The credentials of the sentinels, which are separate from the credentials of Redis. */
export interface SentinelAccess {
  sentinelUsername?: string | undefined
  sentinelPassword?: string | undefined
  /** Whether sentinels use TLS; by default the same as the URL. */
  sentinelTls?: boolean | undefined
}

/**
 * Returns the options of a client that is connected to the primary. Each new connection queries the
 * sentinels (`host:port` each), because a failover changes the primary. The host of the URL is its name.
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
    // For each sentinel, in real time: after a pause, the next one is queried.
    connectTimeout: 500,
    sentinelCommandTimeout: 500,
    enableTLSForSentinelMode: tls,
    ...(tls && { tls: secure }),
    db: database,
  } satisfies RedisOptions
}
