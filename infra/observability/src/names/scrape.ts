/** The labels of the series of each metric: one set per series. */
export type Scraped = ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>

const TYPE = /^# TYPE (\S+) (?:counter|gauge)$/
const SERIES = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:\\.|[^"\\])*)"/g

/**
 * Reads the series of responses of `/metrics` in the text format of Prometheus. A counter or gauge that is declared and
 * has no series yet has an empty list.
 */
export function readScrapes(texts: readonly string[]): Scraped {
  const series = new Map<string, Record<string, string>[]>()
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const declared = TYPE.exec(line)?.[1]
    if (declared !== undefined && !series.has(declared)) series.set(declared, [])
    const [, metric, labels = ''] = SERIES.exec(line) ?? []
    if (metric === undefined) continue
    const all = series.get(metric) ?? []
    all.push(
      Object.fromEntries(
        [...labels.matchAll(LABEL)].map(([, name = '', value = '']) => [name, value]),
      ),
    )
    series.set(metric, all)
  }
  return series
}
