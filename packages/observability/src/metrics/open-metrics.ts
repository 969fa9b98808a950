import type { Registry } from 'prom-client'
import type { Exemplar } from './figures.ts'

export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/**
 * Returns whether a scraper prefers OpenMetrics 1.0.0 to the text format, by its header `Accept`. Only
 * OpenMetrics has exemplars.
 */
export function acceptsOpenMetrics(accept = ''): boolean {
  let [openMetrics, text] = [0, 0]
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase())
    const valueOf = (name: string) =>
      parameters.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1)
    const quality = Number(valueOf('q') ?? 1)
    const version = valueOf('version') ?? '1.0.0'
    if (type === 'application/openmetrics-text' && version === '1.0.0') {
      openMetrics = Math.max(openMetrics, quality)
    }
    if (type === 'text/plain') text = Math.max(text, quality)
  }
  return openMetrics > 0 && openMetrics >= text
}

/**
 * Writes all metrics of a registry as OpenMetrics 1.0.0. That of prom-client renames the counters of the
 * registry, so the text format would be wrong after it.
 */
export async function writeOpenMetrics(registry: Registry): Promise<string> {
  const families = await registry.getMetricsAsJSON()
  return `${families.map(writeFamily).join('')}# EOF\n`
}

interface Value {
  value: number | string
  metricName?: string
  labels: object
  exemplar?: Exemplar | undefined
}

function writeFamily({
  name,
  help,
  type,
  values,
}: {
  name: string
  help: string
  type: unknown
  values: readonly Value[]
}): string {
  const isCounter = String(type) === 'counter'
  const family = isCounter ? name.replace(/_total$/, '') : name
  const head = `# HELP ${family} ${escapeText(help)}\n# TYPE ${family} ${String(type)}\n`
  const sample = isCounter ? `${family}_total` : name
  return head + values.map((value) => writeValue(sample, value)).join('')
}

function writeValue(sample: string, { value, metricName = sample, labels, exemplar }: Value) {
  const line = `${metricName}${writeLabels(labels)} ${writeNumber(Number(value))}`
  if (!exemplar) return `${line}\n`
  const trace = writeLabels({ trace_id: exemplar.traceId })
  return `${line} # ${trace} ${writeNumber(exemplar.value)} ${exemplar.atMs / 1_000}\n`
}

function writeLabels(labels: object): string {
  const written = Object.entries(labels).map(([name, value]) => `${name}="${escapeText(value)}"`)
  return written.length === 0 ? '' : `{${written.join(',')}}`
}

function writeNumber(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

function escapeText(text: unknown): string {
  return String(text).replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')
}
