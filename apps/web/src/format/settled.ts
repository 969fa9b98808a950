/** Who had forgotten a session when the change that ended it was answered. */
export interface Settled {
  acked: number
  instances: number
  ms: number
}

/** From `x-session-settlement`; null where Redis is away, and all are told later. */
export function settledOf(header: string | null): Settled | null {
  const named = [...(header ?? '').matchAll(/(acked|instances|ms)=([\d.]+)/g)]
  const figures = new Map(named.map(([, name, value]) => [name, Number(value)]))
  return readSettled((name) => figures.get(name))
}

/** Figures as they stand in a redirect's query, and back from it. */
export function settledQuery(settled: Settled | null): string {
  return settled ? `&acked=${settled.acked}&instances=${settled.instances}&ms=${settled.ms}` : ''
}

export function settledIn(query: Record<string, string | string[] | undefined>): Settled | null {
  return readSettled((name) => (query[name] === undefined ? undefined : Number(query[name])))
}

export function describeSettled(settled: Settled | null): string {
  if (!settled) return 'every instance is told as soon as Redis is back'
  const { acked, instances, ms } = settled
  return `gone from ${acked} of ${instances} instances in ${Math.max(1, Math.round(ms))} ms`
}

interface Notice {
  tone: 'ok' | 'danger'
  /** A whole sentence; or the beginning of one that says how far the change got. */
  text: string
}

/** The words for a `?notice=`: only ours are ever shown, and numbers. */
export function noticeIn(
  query: Record<string, string | string[] | undefined>,
  notices: Record<string, Notice>,
): Notice | undefined {
  const notice = Object.entries(notices).find(([name]) => name === query['notice'])?.[1]
  if (!notice || notice.text.endsWith('.')) return notice
  return { ...notice, text: `${notice.text}: ${describeSettled(settledIn(query))}.` }
}

function readSettled(of: (name: keyof Settled) => number | undefined): Settled | null {
  const [acked = NaN, instances = NaN, ms = NaN] = [of('acked'), of('instances'), of('ms')]
  return acked >= 0 && instances > 0 && ms >= 0 ? { acked, instances, ms } : null
}
