import type { UpstreamOptions } from '@repo/proxy'
import { z } from 'zod'
import { services } from './services.ts'

/** The optional protections of one service. */
interface ServiceOptions extends Pick<UpstreamOptions, 'maxInFlight' | 'breaker' | 'hedging'> {
  service: string
}

const ENTRY = /^([a-z][a-z0-9-]*)((?: [a-z-]+=\d{1,6})+)$/

const READERS = new Map<string, (value: number) => Partial<ServiceOptions> | undefined>([
  ['in-flight', (value) => (value >= 1 ? { maxInFlight: value } : undefined)],
  [
    'breaker',
    (percent) =>
      percent >= 1 && percent <= 100 ? { breaker: { errorRate: percent / 100 } } : undefined,
  ],
  [
    'hedge',
    (percent) =>
      percent >= 50 && percent <= 99 ? { hedging: { percentile: percent / 100 } } : undefined,
  ],
])

/**
 * The setting of the protections of services, separated by semicolons, such as
 * `payments in-flight=200 breaker=50 hedge=95; auth in-flight=500`. A service that is not in the list
 * has none of them.
 *
 * - `in-flight=N`: each gateway has at most N requests at the service; further ones are a 503.
 * - `breaker=P`: while P percent of the results are errors, requests are refused with 503.
 * - `hedge=P`: a GET that takes longer than P percent of the responses is sent to a second instance too.
 */
export function upstreamOptions() {
  return z.string().transform((text, context): ServiceOptions[] => {
    const parsed = text.split(';').map((entry) => parseEntry(entry.trim()))
    const found = parsed.filter((entry) => entry !== undefined)
    const names = new Set(found.map(({ service }) => service))
    if (found.length === parsed.length && names.size === found.length) return found
    const message =
      'must be a service with in-flight=N (from 1), breaker=P (1 to 100) or hedge=P (50 to 99), such as: payments in-flight=200 breaker=50 hedge=95; one entry for each service'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

function parseEntry(entry: string): ServiceOptions | undefined {
  const [, service = '', list = ''] = ENTRY.exec(entry) ?? []
  if (!services.some(({ name }) => name === service)) return undefined
  const options: ServiceOptions = { service }
  const names = new Set<string>()
  for (const pair of list.trim().split(' ')) {
    const [name = '', value] = pair.split('=')
    const read = READERS.get(name)?.(Number(value))
    if (!read || names.has(name)) return undefined
    names.add(name)
    Object.assign(options, read)
  }
  return options
}

/** Returns the protections of a service, as options of its upstream. */
export function upstreamOptionsOf(
  list: readonly ServiceOptions[],
  name: string,
): Omit<ServiceOptions, 'service'> {
  const { service: _, ...options } = list.find(({ service }) => service === name) ?? { service: '' }
  return options
}
