import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@repo/embedded'
import { readScrape } from '@repo/monitoring/metrics'
import { exporterMetrics, missingNames } from '@repo/monitoring/names'
import {
  clusterTargets,
  findTools,
  type Prometheus,
  quickenRules,
  startPrometheus,
  type Target,
} from '@repo/monitoring/prometheus'
import { startMisfit } from '../alerts/misfit.ts'
import {
  instancesStop,
  keyReused,
  loopPauses,
  redisHangs,
  type Stage,
  tableLocked,
} from '../alerts/scenes.ts'
import { startSideParts } from '../alerts/side-parts.ts'
import { createWatch } from '../alerts/watch.ts'
import { whenInterrupted } from '../ending.ts'
import { createClient, startLoop } from '../load.ts'
import { signUp } from '../person.ts'
import { progress, type Row } from '../report.ts'
import type { ClusterScenario } from './kills.ts'

const RULES = join(import.meta.dirname, '../../../observability/rules.yml')
const ADDRESS = '127.0.0.3'
/** Windows and `for` of the rules are 15 times shorter: five minutes are 20 s. */
const FACTOR = 15
const INTERVAL_MS = 1_000
const REST_MS = 25_000
/** `for: 1h` of CertificateExpires takes four minutes; a window of 30 minutes takes two to pass. */
const LIMITS = { firesWithinS: 300, resolvesWithinS: 180 }

/**
 * A real Prometheus evaluates the rules while parts of the cluster break: each alert must fire, and
 * resolve after the repair.
 */
async function alerts({ cluster }: ClusterScenario): Promise<Row[]> {
  const tools = await findTools(
    'prometheus',
    'prometheus-blackbox-exporter',
    'prometheus-redis-exporter',
  )
  if (tools === undefined) throw new Error('alerts needs the packages of Debian: see tools.sh')
  const client = createClient(cluster.edge, ADDRESS)
  await using side = await startSideParts(tools)
  const targets = clusterTargets(cluster.file)
  await using prometheus = await startPrometheus({
    tools,
    port: await freePort(),
    jobs: [{ name: 'threefold', targets }, ...side.jobs],
    rules: quickenRules(readFileSync(RULES, 'utf8'), FACTOR),
    intervalMs: INTERVAL_MS,
  })
  whenInterrupted(async () => prometheus[Symbol.asyncDispose]())
  const watch = createWatch(prometheus, LIMITS)
  const stage: Stage = { cluster, client, watch }

  watch.rows.push(await atRest(stage, prometheus))
  await instancesStop(stage)
  await loopPauses(stage)
  await redisHangs(stage)
  await keyReused(stage)
  await misfit(stage, prometheus, targets)
  if (side.fillRedis) {
    await watch.rests('RedisEvictions')
    await watch.rests('RedisMemoryHigh')
    await side.fillRedis()
    await watch.fires('RedisEvictions')
    await watch.fires('RedisMemoryHigh')
    await side.emptyRedis()
    await watch.resolves('RedisEvictions')
    await watch.resolves('RedisMemoryHigh')
  } else {
    progress('  RedisEvictions and RedisMemoryHigh need a native Redis: set REDIS_SERVER')
  }
  await tableLocked(stage)
  await watch.fires('CertificateExpires')
  await side.renewCertificate()
  await watch.resolves('CertificateExpires')
  client.close()
  return watch.rows
}

/** The alerts that fire while nothing is broken; the certificate is old from the beginning. */
async function atRest({ cluster, client }: Stage, prometheus: Prometheus): Promise<Row> {
  const cookie = await signUp(cluster)
  const load = startLoop(client, 10, () => ({ path: '/api/payments', headers: { cookie } }))
  await wait(REST_MS)
  await load.stop()
  const firing = (await prometheus.alerts()).filter(
    ({ name, state }) => state === 'firing' && name !== 'CertificateExpires',
  )
  for (const { labels } of firing) progress(`  at rest: ${JSON.stringify(labels)}`)
  const figure = 'alerts that fire while all is well'
  return { scenario: 'alerts', figure, measured: firing.length, comparison: '<=', target: 0 }
}

/** A gateway with other settings; its scrape has all names, since it also records spans. */
async function misfit(
  { cluster, watch }: Stage,
  prometheus: Prometheus,
  targets: readonly Target[],
): Promise<void> {
  const names = ['ConfigDrift', 'SpansDropped', 'LogLinesDropped', 'UpstreamEjected']
  for (const name of names) await watch.rests(name)
  {
    await using gateway = await startMisfit(cluster)
    const address = new URL(gateway.origin).host
    const labels = { app: 'gateway', instance: 'gateway-misfit' }
    await prometheus.setTargets('threefold', [...targets, { address, labels }])
    const cookie = await signUp(cluster)
    const direct = createClient(gateway.origin, ADDRESS)
    const path = `/api/payments?${'x'.repeat(4_000)}`
    const load = startLoop(direct, 100, () => ({ path, headers: { cookie } }))
    await watch.fires('ConfigDrift', { app: 'gateway' })
    await watch.fires('SpansDropped', { instance: 'gateway-misfit' })
    await watch.fires('UpstreamEjected', { upstream: 'payments' })
    await watch.fires('LogLinesDropped', { instance: 'gateway-misfit' })
    watch.rows.push(await namesExist([...targets, { address, labels }]))
    await load.stop()
    direct.close()
  }
  await prometheus.setTargets('threefold', targets)
  for (const name of names) await watch.resolves(name)
}

async function namesExist(targets: readonly Target[]): Promise<Row> {
  const scrapes = targets.map(async ({ address }) =>
    (await fetch(`http://${address}/metrics`)).text(),
  )
  const metrics = (await Promise.all(scrapes)).flatMap((text) => [
    ...readScrape(text).metrics.values(),
  ])
  const missing = missingNames([...metrics, ...exporterMetrics()])
  for (const line of missing) progress(`  ${line}`)
  const figure = 'names in rules and dashboard that no scrape has'
  return { scenario: 'alerts', figure, measured: missing.length, comparison: '<=', target: 0 }
}

export const alertScenarios = { alerts }
