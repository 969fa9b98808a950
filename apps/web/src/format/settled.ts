import type { Revocation } from '@repo/api'

/** The number of instances that had applied the end of a session when the answer was sent. */
export interface Settled {
  acked: number
  instances: number
  ms: number
}

/**
 * From `x-session-settlement`; null while Redis is unavailable, when instances learn of it later.
 */
export function settledOf(header: string | null): Settled | null {
  const named = [...(header ?? '').matchAll(/(acked|instances|ms)=([\d.]+)/g)]
  const figures = new Map(named.map(([, name, value]) => [name, Number(value)]))
  return readSettled((name) => figures.get(name))
}

/** The figures of a response; null while Redis is unavailable. */
export function settledBy({ acked, instances, ms }: Revocation): Settled | null {
  return acked === undefined || instances === undefined ? null : { acked, instances, ms }
}

/** The figures as the query of a redirect. */
export function settledQuery(settled: Settled | null): string {
  return settled ? `&acked=${settled.acked}&instances=${settled.instances}&ms=${settled.ms}` : ''
}

export function settledIn(query: Record<string, string | string[] | undefined>): Settled | null {
  return readSettled((name) => (query[name] === undefined ? undefined : Number(query[name])))
}

export function describeSettled(settled: Settled | null): string {
  if (!settled) return 'every instance applies it when Redis is available again'
  const { acked, instances, ms } = settled
  return `confirmed by ${acked} of ${instances} instances in ${Math.max(1, Math.round(ms))} ms`
}

interface Notice {
  tone: 'ok' | 'danger'
  /** A sentence, or the beginning of one that ends with the number of instances. */
  text: string
}

/** The text for a `?notice=`: only texts of this app and numbers are shown. */
export function noticeIn(
  query: Record<string, string | string[] | undefined>,
  notices: Record<string, Notice>,
): Notice | undefined {
  const notice = Object.entries(notices).find(([name]) => name === query['notice'])?.[1]
  if (!notice || notice.text.endsWith('.')) return notice
  return { ...notice, text: `${notice.text}: ${describeSettled(settledIn(query))}.` }
}

function readSettled(figureOf: (name: keyof Settled) => number | undefined): Settled | null {
  const [acked = NaN, instances = NaN, ms = NaN] = [
    figureOf('acked'),
    figureOf('instances'),
    figureOf('ms'),
  ]
  return acked >= 0 && instances > 0 && ms >= 0 ? { acked, instances, ms } : null
}
