import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Target } from './prometheus.ts'

const clusterFile = z.object({
  /** The address of the edge's metrics, which its public port refuses. */
  edgeMetrics: z.string().optional(),
  instances: z.array(z.object({ app: z.string(), id: z.string(), url: z.string() })),
})

/**
 * The instances and the edge of a local cluster, from its `cluster.json`. The label `instance` is the name
 * of the instance, also while it cannot be scraped.
 *
 * @throws Error when no cluster runs
 */
export function clusterTargets(file: string): Target[] {
  const { instances, edgeMetrics } = clusterFile.parse(JSON.parse(readFileSync(file, 'utf8')))
  return [
    ...instances.map(({ app, id, url }) => ({
      address: hostOf(url),
      labels: { app, instance: id },
    })),
    ...(edgeMetrics === undefined
      ? []
      : [{ address: hostOf(edgeMetrics), labels: { app: 'edge', instance: 'edge-1' } }]),
  ]
}

function hostOf(url: string): string {
  return new URL(url).host.replace('localhost', '127.0.0.1')
}
