import type { GroupOptions, PickContext } from '@repo/proxy'
import type { Identity } from '@repo/service'
import { z } from 'zod'
import { upstreamTargets } from './discovery.ts'
import { services } from './services.ts'

/** The group of the instances of a new release, with its share of the requests in percent. */
interface Canary {
  service: string
  percent: number
  targets: string[]
}

const CANARY_GROUP = 'canary'
export const CANARY_HEADER = 'x-canary'

const ENTRY = /^([a-z][a-z0-9-]*) (\d{1,3}) (\S.*)$/

/**
 * The setting of canaries, separated by semicolons: `auth 5 http://localhost:4109` sends 5 % of the
 * users of auth there. The targets are origins or a name in DNS.
 */
export function canaries() {
  return z.string().transform((text, context): Canary[] => {
    const entries = text.split(';').map((entry) => entry.trim())
    const parsed = entries.map(parseCanary)
    const found = parsed.filter((canary) => canary !== undefined)
    const names = new Set(found.map(({ service }) => service))
    if (found.length === parsed.length && names.size === found.length) return found
    const message =
      'must be a service, a percentage and targets, such as: auth 5 http://localhost:4109; one for each service'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

function parseCanary(entry: string): Canary | undefined {
  const [, service = '', percent = '', list] = ENTRY.exec(entry) ?? []
  const targets = upstreamTargets().safeParse(list)
  if (!services.some(({ name }) => name === service) || Number(percent) > 100) return undefined
  // The registry has the instances of both releases.
  if (list === 'registry:') return undefined
  return targets.success ? { service, percent: Number(percent), targets: targets.data } : undefined
}

/** Returns the canary group of a service, as an option of its upstream. */
export function canaryGroupOf(
  list: readonly Canary[],
  service: string,
  toTargets: (setting: readonly string[]) => GroupOptions['targets'],
): GroupOptions[] {
  return list
    .filter((canary) => canary.service === service)
    .map(({ percent, targets }) => ({
      name: CANARY_GROUP,
      weight: percent,
      targets: toTargets(targets),
    }))
}

/**
 * Returns the group of a request: a user stays in one, and so does the address of a caller without a
 * user. With `canOverride`, an administrator chooses it by `X-Canary: main` or `X-Canary: canary`; the
 * header of any other caller has no effect.
 */
export function canaryContextOf(
  header: string | string[] | undefined,
  identity: Identity | undefined,
  ip: string,
  canOverride: boolean,
): PickContext {
  const stickyKey = identity?.userId ?? ip
  const mayChoose = canOverride && identity?.role === 'admin' && identity.actor === undefined
  return mayChoose && typeof header === 'string' ? { stickyKey, group: header } : { stickyKey }
}
