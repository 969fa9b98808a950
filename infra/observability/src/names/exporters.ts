import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const list = z.object({
  exporters: z.array(
    z.object({
      package: z.enum([
        'prometheus-redis-exporter',
        'prometheus-postgres-exporter',
        'prometheus-blackbox-exporter',
      ]),
      version: z.string(),
      metrics: z.record(z.string(), z.array(z.string())),
    }),
  ),
})

/** The exporters of exporters.json, with the labels of each metric. */
export function readExporters() {
  const text = readFileSync(join(import.meta.dirname, '../../exporters.json'), 'utf8')
  return list.parse(JSON.parse(text)).exporters
}

/** The metrics of exporters.json in the text format of Prometheus. */
export function exporterSeries(): string {
  return readExporters()
    .flatMap(({ metrics }) => Object.entries(metrics))
    .map(([metric, labels]) => `${metric}{${labels.map((label) => `${label}=""`).join()}} 0\n`)
    .join('')
}
