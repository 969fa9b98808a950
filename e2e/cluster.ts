import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { App } from '@repo/services'

/**
 * The cluster of the specs has other ports and other data than `pnpm start`. The environment
 * selects another cluster, such as one in containers.
 */
const { E2E_EDGE = 'http://localhost:8180', E2E_STATE = '.threefold/e2e' } = process.env
export const EDGE = E2E_EDGE
/** Whether the specs run on a stack in containers. */
export const IS_IN_CONTAINERS = process.env['E2E_EDGE'] !== undefined
export const STATE = resolve(import.meta.dirname, '..', E2E_STATE)

export interface RunningInstance {
  app: App
  id: string
  url: string
  pid: number
}

export interface Cluster {
  edge: string
  /** The address of the metrics of the edge, which its public port refuses. */
  edgeMetrics?: string
  databaseUrl: string
  /** `container` where the stack runs in containers. */
  stores: { name: 'postgres' | 'valkey'; pid: number; container?: string }[]
  instances: RunningInstance[]
}

/** The current description that the cluster writes of itself. */
export function readCluster(): Cluster {
  const cluster: Cluster = JSON.parse(readFileSync(join(STATE, 'cluster.json'), 'utf8'))
  return cluster
}

/** Every running instance of an app. */
export function instancesOf(app: RunningInstance['app']): RunningInstance[] {
  return readCluster().instances.filter((instance) => instance.app === app)
}

/**
 * The killed instance once it serves again in another process; a container may have another port.
 */
export async function whenBack({ id, pid }: RunningInstance): Promise<RunningInstance | undefined> {
  const now = readCluster().instances.find((instance) => instance.id === id)
  if (!now || now.pid === pid) return undefined
  const ready = await fetch(`${now.url}/readyz`).catch(() => undefined)
  return ready?.ok ? now : undefined
}

/** The process of an embedded store. */
export function storeOf(name: 'postgres' | 'valkey'): number {
  const store = readCluster().stores.find((each) => each.name === name)
  if (!store) throw new Error(`the cluster has no embedded ${name}`)
  return store.pid
}
