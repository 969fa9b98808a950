import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { READINESS_PATH } from '@repo/services'
import { LAYERS, layerOf } from '../processes/cluster-guard.ts'
import type { ProcessTable } from '../processes/process-table.ts'
import { supervise, type Supervised } from '../processes/supervise.ts'
import { CLUSTER_FILE, ROOT, writeState } from '../state/state.ts'
import type { Stores } from '../stores/stores.ts'
import type { Progress } from '../terminal/progress.ts'
import { instanceEnvironment } from './environment.ts'
import { type InstancePlan, publicHost } from './topology.ts'

/** With much memory, V8 collects late: a busy web instance would use 500 MB instead of 75. */
const HEAP_LIMIT = '--max-old-space-size=256'

export interface Cluster {
  /** Starts the planned instances; those with the same number start together. @throws BootError */
  start(): Promise<void>
  /** Writes `.threefold/cluster.json`. */
  publish(): void
  instances(): { app: string; id: string; url: string; pid: number }[]
  /** Stops the edge first, and each service before the services that it calls: no request is cut off. */
  stop(): Promise<void>
}

/** Runs the instances and the edge, and updates `.threefold/cluster.json` when one starts or ends. */
export function createCluster({
  plans,
  edgePort,
  metricsPort,
  env,
  stores,
  processes,
  progress,
}: {
  plans: readonly InstancePlan[]
  edgePort: number
  /** The port of the edge's `/metrics`. */
  metricsPort: number
  env: Record<string, string>
  stores: Stores
  processes: ProcessTable
  progress: Progress
}): Cluster {
  const running = new Map<string, Supervised>()
  const edgeUrl = `http://${publicHost}:${edgePort}`

  function describe() {
    return plans.flatMap(({ app, id, url }) => {
      const pid = running.get(id)?.pid
      return pid === undefined ? [] : [{ app, id, url, pid }]
    })
  }

  function publish() {
    const { databaseUrl, redisUrl } = stores
    try {
      writeState(CLUSTER_FILE, {
        edge: edgeUrl,
        edgeMetrics: `http://127.0.0.1:${metricsPort}/metrics`,
        databaseUrl,
        redisUrl,
        pid: process.pid,
        stores: stores.processes(),
        instances: describe(),
      })
    } catch (error) {
      // A full disk does not end the cluster.
      progress.event(`${CLUSTER_FILE} cannot be written: ${String(error)}`)
    }
  }

  async function run(
    name: string,
    args: string[],
    settings: Record<string, string>,
    readyUrl: string,
  ) {
    const program = { name, args, env: { ...env, ...settings }, readyUrl }
    const supervised = await supervise(program, processes, ({ reason, pid }) => {
      const next = pid === undefined ? 'cannot be started yet' : `started again as process ${pid}`
      progress.event(`${name} ended (${reason}): ${next}`, { instance: name })
      publish()
    })
    running.set(name, supervised)
  }

  function startInstance(plan: InstancePlan) {
    const main = join(ROOT, 'apps', plan.app, 'src/main.ts')
    const args = [HEAP_LIMIT, main]
    return run(plan.id, args, instanceEnvironment(plan), `${plan.internalUrl}${READINESS_PATH}`)
  }

  return {
    async start() {
      for (const wave of Map.groupBy(plans, ({ number }) => number).values()) {
        const ids = wave.map(({ id }) => id).join(' ')
        await progress.step('instances', async () => {
          await Promise.all(wave.map(startInstance))
          return { note: ids, value: undefined }
        })
      }
      await progress.step('edge', async () => {
        const edge = join(ROOT, 'infra/local/src/edge.ts')
        const settings = { EDGE_METRICS_PORT: String(metricsPort) }
        await run('edge', [edge], settings, `http://127.0.0.1:${edgePort}/.edge/readyz`)
        return { note: edgeUrl, value: undefined }
      })
      publish()
    },
    publish,
    instances: describe,
    async stop() {
      rmSync(CLUSTER_FILE, { force: true })
      for (const layer of LAYERS) {
        const members = [...running.values()].filter(({ name }) => layerOf(name) === layer)
        await Promise.all(members.map((member) => member.stop()))
      }
    },
  }
}
