import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { MetricRow } from '../metrics/table.ts'

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

/** The metrics of exporters.json. */
export function exporterMetrics(): MetricRow[] {
  return readExporters().flatMap(({ metrics }) =>
    Object.entries(metrics).map(([name, labels]) => ({ name, type: 'exporter', labels })),
  )
}
