import { fileURLToPath } from 'node:url'
import { endReplicas, type Replica, startReplicas } from '../replica/replica.ts'
import type { ClosedOrder, InstanceRound, OpenOrder } from './contender.ts'
import { percentile } from './report/statistics.ts'
import type { BenchServer } from './server.ts'

/** The cost of one round of one contender, over all its instances. */
export interface Round {
  operations: number
  perSecond: number
  /** CPU per operation, in microseconds: the instance processes together, and Redis. */
  clientUs: number
  redisUs: number
  /** The time from the last arrival to the last result, of the slowest instance. */
  overrunMs: number
  /** The share of one processor that the busiest instance used. */
  utilisation: number
  /** From the intended arrival to the result; NaN in a closed loop. */
  p50Ms: number
  p99Ms: number
}

/** The instance processes of one contender. */
export interface Fleet {
  closed(order: ClosedOrder): Promise<Round>
  open(order: OpenOrder): Promise<Round>
  close(): Promise<void>
}

/**
 * Callers of each part. A call that is alone in its turn of the event loop may take another path than
 * one of several, so both paths are compiled before the first round counts.
 */
const WARM_UP_CALLERS = [8, 1, 8, 1, 8, 1]
const WARM_UP_MS = 250
const START_MS = 60_000
/** More would be slow for each of them. */
const STARTED_AT_ONCE = 4

export interface FleetOptions {
  /** The program that calls `serveContenders`. */
  program: URL
  contender: string
  instances: number
  server: BenchServer
  env?: Record<string, string>
  /** False where a closed loop on all instances at once is too much load. */
  warmUp?: boolean
}

/** Starts the processes, opens the contender in each, and runs it until its code is compiled. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { program, contender, instances, server, env = {}, warmUp = true } = options
  const replicas: Replica[] = []
  async function start(instance: number) {
    const started = await startReplicas(1, {
      program: fileURLToPath(program),
      args: [contender, JSON.stringify({ redisUrl: server.url, instance, instances })],
      env: { INSTANCE_ID: `instance-${instance + 1}`, ...env },
      timeoutMs: START_MS,
    })
    replicas.push(...started)
    await Promise.all(started.map((replica) => replica.call('open')))
  }
  async function each<T>(method: string, order?: unknown): Promise<T[]> {
    return Promise.all(replicas.map((replica) => replica.call<T>(method, order)))
  }
  async function round(method: 'closed' | 'openLoop', order: ClosedOrder | OpenOrder) {
    await each('settle')
    const before = await server.cpuUs()
    const measured = await each<InstanceRound>(method, order)
    return combine(measured, (await server.cpuUs()) - before, order.ms)
  }
  try {
    for (let first = 0; first < instances; first += STARTED_AT_ONCE) {
      const count = Math.min(STARTED_AT_ONCE, instances - first)
      await Promise.all(Array.from({ length: count }, (_, i) => start(first + i)))
    }
    for (const inFlight of warmUp ? WARM_UP_CALLERS : []) {
      await round('closed', { inFlight, ms: WARM_UP_MS })
    }
  } catch (error) {
    const output = replicas.map((replica) => replica.output()).join('')
    await endReplicas(replicas)
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${contender} cannot be measured: ${reason}\n${output}`, { cause: error })
  }
  return {
    closed: (order) => round('closed', order),
    open: (order) => round('openLoop', order),
    close: () => closeAll(replicas, each),
  }
}

async function closeAll(replicas: Replica[], each: (method: string) => Promise<unknown>) {
  try {
    await each('close')
  } finally {
    await endReplicas(replicas)
  }
}

function combine(measured: InstanceRound[], redisUs: number, ms: number): Round {
  const sum = (read: (round: InstanceRound) => number) =>
    measured.reduce((total, round) => total + read(round), 0)
  const operations = sum((one) => one.operations)
  const latenciesMs = Float64Array.from(measured.flatMap((one) => [...one.latenciesMs]))
  return {
    operations,
    perSecond: sum((one) => (one.operations / one.elapsedMs) * 1_000),
    clientUs: sum((one) => one.cpuUs) / operations,
    redisUs: redisUs / operations,
    overrunMs: Math.max(...measured.map((one) => one.elapsedMs)) - ms,
    utilisation: Math.max(...measured.map((one) => one.cpuUs / 1_000 / one.elapsedMs)),
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  }
}
