import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { clusterTargets } from './cluster-targets.ts'
import { startPrometheus } from './prometheus.ts'
import { findTools } from './tools.ts'

/**
 * `pnpm prometheus [--port 9090]`: Prometheus with the rules of Threefold, for the embedded cluster that runs
 * in this checkout. It follows instances that start and end, and stops with Ctrl-C.
 */
const ROOT = join(import.meta.dirname, '../../../..')
const CLUSTER_FILE = join(
  resolve(ROOT, process.env['THREEFOLD_STATE'] ?? '.threefold'),
  'cluster.json',
)
const EVERY_MS = 2_000
/** As in prometheus.yml. */
const INTERVAL_MS = 10_000

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())

try {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '9090' } } })
  await run(Number(values.port))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function run(port: number): Promise<void> {
  const targets = readTargets()
  if (!targets) throw new Error(`no cluster runs in this checkout: start it with \`pnpm start\``)
  const tools = await findTools('prometheus')
  if (tools === undefined) {
    throw new Error(
      'Prometheus comes from the packages of Debian, which this machine does not have: install it from prometheus.io, and use infra/observability/rules.yml',
    )
  }
  await using prometheus = await startPrometheus({
    tools,
    port,
    jobs: [{ name: 'threefold', targets }],
    rules: readFileSync(join(ROOT, 'infra/observability/rules.yml'), 'utf8'),
    intervalMs: INTERVAL_MS,
  })
  process.stdout.write(`Prometheus: ${prometheus.url}, its alerts: ${prometheus.url}/alerts\n`)
  let hasEnded = false
  void prometheus.ended.then(() => {
    hasEnded = !stopping.signal.aborted
    return stopping.abort()
  })
  let current = JSON.stringify(targets)
  while (!stopping.signal.aborted) {
    await wait(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    const next = readTargets()
    if (!next || JSON.stringify(next) === current) continue
    current = JSON.stringify(next)
    await prometheus.setTargets('threefold', next)
  }
  if (hasEnded) throw new Error('Prometheus has ended')
}

/** Undefined while no cluster runs: its targets stay, and are reported as missing. */
function readTargets() {
  try {
    return clusterTargets(CLUSTER_FILE)
  } catch {
    return undefined
  }
}
