import type { RedisOptions } from 'ioredis'

/**
 * Asks the sentinels (`host:port` each) who is the primary, at each new connection: after a failover
 * it is another one. The host of the URL is the name by which they know it.
 * @throws TypeError for a sentinel without a host
 */
export function viaSentinels(url: string, sentinels: readonly string[]) {
  const { protocol, hostname, username, password, pathname } = new URL(url)
  const secure = protocol === 'rediss:'
  return {
    name: hostname,
    sentinels: sentinels.map(hostAndPort),
    sentinelRetryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000),
    sentinelCommandTimeout: 500,
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(secure && { tls: {}, enableTLSForSentinelMode: true }),
    db: Number(pathname.slice(1) || 0),
  } satisfies RedisOptions
}

function hostAndPort(sentinel: string): { host: string; port: number } {
  const { hostname, port } = new URL(`redis://${sentinel}`)
  if (hostname === '') throw new TypeError(`a sentinel is host:port, not "${sentinel}"`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 26_379) }
}
