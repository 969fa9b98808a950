import { groupIp } from '@repo/ratelimit'

const WINDOW_MS = 60_000
const MAX_NETWORKS = 10_000

interface Network {
  /** Unknown keys that were looked up in this window. */
  unknown: number
  /** Lookups in flight. Each may be for an unknown key. */
  running: number
  endsAtMs: number
}

/**
 * Limits the lookups of unknown keys from one network (IPv4 address, or IPv6 prefix), on this instance. So an
 * attacker that invents keys reaches the database at most `max` times a minute (K5). Keys in memory are
 * not affected.
 */
export function createUnknownKeys({
  max = 100,
  ipv6Prefix = 64,
  now = () => performance.now(),
}: { max?: number | undefined; ipv6Prefix?: 48 | 56 | 64 | undefined; now?: () => number } = {}) {
  const networks = new Map<string, Network>()

  /** The network of an address. The networks are in the order in which their windows end. */
  function networkOf(ip: string): Network {
    const name = groupIp(ip, ipv6Prefix)
    const nowMs = now()
    const network = networks.get(name) ?? { unknown: 0, running: 0, endsAtMs: 0 }
    if (nowMs < network.endsAtMs) return network
    network.unknown = 0
    network.endsAtMs = nowMs + WINDOW_MS
    networks.delete(name)
    networks.set(name, network)
    const [oldest] = networks.keys()
    if (networks.size > MAX_NETWORKS && oldest !== undefined) networks.delete(oldest)
    return network
  }

  return {
    /** Begins a lookup; undefined if the network has to wait. */
    begin(ip: string): { end(isUnknown: boolean): void } | undefined {
      const network = networkOf(ip)
      if (network.unknown + network.running >= max) return undefined
      network.running += 1
      return {
        end(isUnknown) {
          network.running -= 1
          if (isUnknown) network.unknown += 1
        },
      }
    },
    /** The time until the network may look up keys again, in whole seconds. */
    secondsLeft: (ip: string) => Math.max(1, Math.ceil((networkOf(ip).endsAtMs - now()) / 1_000)),
  }
}
