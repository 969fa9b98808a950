import type { LimiterKeys } from '../keys.ts'
import type { Report } from '../store.ts'

/** The report of a reply of the report script. */
export function parseReport(reply: unknown, { parseSubject }: LimiterKeys): Report {
  const [activity, limited, blocked] = Array.isArray(reply) ? reply.map(pairs) : []
  const policies = new Map<string, Report['policies'][number]>()
  for (const [field, n] of activity ?? []) {
    const [policy = '', what = ''] = field.split('|')
    const totals = policies.get(policy) ?? { policy, allowed: 0, limited: 0, unavailable: 0 }
    policies.set(policy, totals)
    if (what === 'allowed' || what === 'limited' || what === 'unavailable') totals[what] += n
  }
  return {
    policies: [...policies.values()],
    limited: (limited ?? []).toReversed().map(([key, count]) => ({ ...parseSubject(key), count })),
    blocked: (blocked ?? []).map(([key, endsInMs]) => ({ ...parseSubject(key), endsInMs })),
  }
}

/** A reply of names and numbers in turn. */
function pairs(flat: unknown): [name: string, n: number][] {
  if (!Array.isArray(flat)) return []
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(flat[i + 1])]] : []))
}
