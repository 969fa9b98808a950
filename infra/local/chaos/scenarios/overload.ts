import { setTimeout as wait } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { closedLoop, type Sample, startLoop } from '../load.ts'
import { signUp } from '../person.ts'
import { createRawClient } from '../raw-client.ts'
import { percentile, progress, type Row } from '../report.ts'
import type { ClusterScenario } from './kills.ts'

const ADDRESS = '127.0.0.3'
const USERS = 20
const MEASURED_MS = 6_000
const CALLERS = [16, 32, 64]
const CONNECTIONS = 1_000

function goodput(samples: readonly Sample[], forMs: number): number {
  return (samples.filter(({ status }) => status === 200).length / forMs) * 1_000
}

/** The sum over the gateways of a counter of the session caches. */
async function sessionCounter(cluster: Cluster, pattern: RegExp): Promise<number> {
  const texts = await Promise.all(
    cluster.instances('gateway').map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
  )
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => pattern.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** Twice the highest rate that callers in a closed loop reach. The load has the same processors. */
async function overload({ cluster }: ClusterScenario): Promise<Row[]> {
  const cookies = await Promise.all(Array.from({ length: USERS }, () => signUp(cluster)))
  const client = createRawClient(cluster.edge, ADDRESS, CONNECTIONS)
  const specs = cookies.map((cookie) => ({ path: '/api/me', headers: { cookie } }))
  const [first = { path: '/api/me' }] = specs
  await client.warm(CONNECTIONS, first)
  let peak = 0
  for (const callers of CALLERS) {
    const samples = await closedLoop(client, { callers, forMs: MEASURED_MS, spec: first })
    const found = goodput(samples, MEASURED_MS)
    progress(`  ${callers} callers: ${Math.round(found)}/s`)
    peak = Math.max(peak, found)
  }
  const loads = /^threefold_cache_(store_)?loads_total\{[^}]*session/
  const before = await sessionCounter(cluster, loads)
  const loop = startLoop(client, peak * 2, (n) => specs[n % USERS] ?? first)
  await wait(MEASURED_MS)
  const arrived = performance.now()
  const samples = await loop.stop()
  const during = samples.filter(({ atMs, ms }) => atMs + ms <= arrived)
  const queries = (await sessionCounter(cluster, loads)) - before
  client.close()
  const refused = samples.filter(({ status }) => status === 503)
  const broken = samples.filter(({ status }) => status !== 200 && status !== 503)
  const row = { scenario: 'overload', comparison: '<=' } as const
  const p99 =
    refused.length > 0
      ? percentile(
          refused.map(({ ms }) => ms),
          0.99,
        )
      : 0
  return [
    {
      scenario: 'overload',
      figure: 'goodput at twice the peak, %',
      measured: (goodput(during, MEASURED_MS) / peak) * 100,
      comparison: '>=',
      target: 90,
    },
    { ...row, figure: 'p99 of the 503s, ms', measured: p99, target: 1_000 },
    { ...row, figure: 'neither 200 nor 503', measured: broken.length, target: 0 },
    {
      ...row,
      figure: 'session checks at PostgreSQL, %',
      measured: (queries / samples.length) * 100,
      target: 5,
    },
  ]
}

export const overloadScenarios = { overload }
