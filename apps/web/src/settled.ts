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

function readSettled(of: (name: keyof Settled) => number | undefined): Settled | null {
  const [acked = NaN, instances = NaN, ms = NaN] = [of('acked'), of('instances'), of('ms')]
  return acked >= 0 && instances > 0 && ms >= 0 ? { acked, instances, ms } : null
}
