import { lookup as lookupOfSystem } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { type BackgroundLog, repeat } from '@repo/concurrency'
import {
  isOrigin,
  MAX_TIMER_MS,
  readOptions,
  refuse,
  requireFunction,
  requireInteger,
} from '../options.ts'
import type { TargetSource } from '../upstream/upstream.ts'
import { createSteadySet } from './steady-set.ts'

export interface DnsSourceOptions {
  /** A name that resolves to each instance, with the port of all of them: `http://auth:3001`. */
  origin: string
  /** The time between two look-ups in ms, from 1; 5,000 by default. */
  refreshMs?: number
  /** Returns the addresses of a name; by default as the system does, with its hosts file. */
  lookup?: (name: string) => Promise<readonly string[]>
  log?: BackgroundLog | undefined
}

/**
 * Creates a source of targets from a name in DNS that resolves to several addresses, such as a service
 * of compose or a headless service of Kubernetes. A new address is used after at most `refreshMs`; an
 * address is removed when three answers in a row lack it. After an error or an empty answer the last
 * addresses are used further.
 *
 * @throws ProxyError `bad-option`
 */
export function createDnsSource(sourceOptions: DnsSourceOptions): TargetSource {
  const options = readOptions(sourceOptions)
  const { origin, refreshMs = 5_000, lookup = lookUp, log } = options
  if (!isOrigin(origin)) refuse('origin', 'an origin, such as http://auth:3001')
  requireInteger('refreshMs', refreshMs, 1, MAX_TIMER_MS)
  requireFunction('lookup', lookup)
  const { protocol, hostname, port } = new URL(origin)
  const suffix = port === '' ? '' : `:${port}`

  function toOrigin(address: string): string {
    return `${protocol}//${isIPv6(address) ? `[${address}]` : address}${suffix}`
  }

  return {
    ...(protocol === 'https:' && { servername: hostname }),
    follow(update) {
      const note = createSteadySet()
      let isEnded = false
      const refreshing = repeat({
        task: 'proxy.dns',
        everyMs: refreshMs,
        log,
        async work() {
          const addresses = await lookup(hostname)
          if (!isEnded) update(note(addresses.map(toOrigin)))
        },
      })
      void refreshing.run()
      return () => {
        isEnded = true
        void refreshing.close()
      }
    },
  }
}

async function lookUp(name: string): Promise<string[]> {
  const found = await lookupOfSystem(name, { all: true, order: 'verbatim' })
  return found.map(({ address }) => address)
}
