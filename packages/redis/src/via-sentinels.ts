import type { RedisOptions } from 'ioredis'
import { credentials, hostAndPort } from './address.ts'

/**
 * Asks the sentinels (`host:port` each) who is the primary, at each new connection: after a failover
 * it is another one. The host of the URL is the name by which they know it.
 * @throws TypeError for a sentinel without a host
 */
export function viaSentinels(url: string, sentinels: readonly string[]) {
  const { hostname, pathname } = new URL(url)
  const access = credentials(url)
  return {
    ...access,
    name: hostname,
    sentinels: sentinels.map((sentinel) => hostAndPort(sentinel, 26_379)),
    sentinelRetryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000),
    sentinelCommandTimeout: 500,
    enableTLSForSentinelMode: 'tls' in access,
    db: Number(pathname.slice(1) || 0),
  } satisfies RedisOptions
}
