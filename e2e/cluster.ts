import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The tests' cluster stands beside the one that you may be using: other ports, other data. */
export const EDGE = 'http://localhost:8180'
export const STATE = join(import.meta.dirname, '../.threefold/e2e')

export interface RunningInstance {
  app: 'auth' | 'gateway' | 'payments' | 'web'
  id: string
  url: string
  pid: number
}

export interface Cluster {
  edge: string
  databaseUrl: string
  stores: { name: 'postgres' | 'valkey'; pid: number }[]
  instances: RunningInstance[]
}

/** The cluster as it describes itself now. */
export function readCluster(): Cluster {
  const cluster: Cluster = JSON.parse(readFileSync(join(STATE, 'cluster.json'), 'utf8'))
  return cluster
}

/** Every running instance of an app. */
export function instancesOf(app: RunningInstance['app']): RunningInstance[] {
  return readCluster().instances.filter((instance) => instance.app === app)
}

/** The process of an embedded store. */
export function storeOf(name: 'postgres' | 'valkey'): number {
  const store = readCluster().stores.find((each) => each.name === name)
  if (!store) throw new Error(`the cluster has no embedded ${name}`)
  return store.pid
}
