/** A row of docs/metrics.md. */
export interface MetricRow {
  name: string
  type: string
  labels: readonly string[]
}

interface ScrapedMetric extends MetricRow {
  /** The number of its series. */
  series: number
}

/** The series of one instance. */
export interface Scrape {
  /** The metrics with their type and the names of their labels, without `app`, `instance` and `le`. */
  metrics: ReadonlyMap<string, Readonly<ScrapedMetric>>
  /** The number of series. */
  series: number
}

/** The largest number of series of an instance. */
export function maxSeries(app: string): number {
  return app === 'gateway' ? 900 : 500
}

const ROW = /^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \| [^|]+ \|$/gm

/** Reads the tables of docs/metrics.md. */
export function readMetricTable(markdown: string): MetricRow[] {
  return [...markdown.matchAll(ROW)].map(([, name = '', type = '', labels = '']) => ({
    name,
    type,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label).toSorted(),
  }))
}

const BASE = new Set(['app', 'instance', 'le'])
const SAMPLE = /^\w+(?:\{(.*)\})? \S+$/
const LABEL = /(\w+)="(?:[^"\\]|\\.)*"/g

/** Reads a response of `/metrics` in the text format of Prometheus. */
export function readScrape(text: string): Scrape {
  const metrics = new Map<string, ScrapedMetric>()
  let series = 0
  let present: ScrapedMetric | undefined
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? []
    if (name !== undefined && type !== undefined) {
      present = { name, type, labels: [], series: 0 }
      metrics.set(name, present)
    }
    const sample = line.startsWith('#') ? null : SAMPLE.exec(line)
    if (!sample || !present) continue
    series += 1
    present.series += 1
    const names = [...(sample[1] ?? '').matchAll(LABEL)].map(([, label = '']) => label)
    const labels = new Set([...present.labels, ...names.filter((label) => !BASE.has(label))])
    present.labels = [...labels].toSorted()
  }
  return { metrics, series }
}

/** Returns a line for each metric that differs from its row, or has none. */
export function findUndocumented(rows: readonly MetricRow[], { metrics }: Scrape): string[] {
  return [...metrics.values()].flatMap(({ name, type, labels, series }) => {
    const row = rows.find((each) => each.name === name)
    if (!row) return [`${name} has no row in docs/metrics.md`]
    // Without a series, a metric shows no labels.
    if (series === 0 && row.type === type) return []
    const [found, written] = [`${type} ${labels.join(' ')}`, `${row.type} ${row.labels.join(' ')}`]
    return found === written ? [] : [`${name} is ${found}, and docs/metrics.md has ${written}`]
  })
}

/** Returns the rows of metrics that no instance has. */
export function findMissing(rows: readonly MetricRow[], scrapes: readonly Scrape[]): string[] {
  return rows
    .map(({ name }) => name)
    .filter((name) => !scrapes.some(({ metrics }) => metrics.has(name)))
}
