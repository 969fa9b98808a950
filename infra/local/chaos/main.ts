/**
 * `pnpm chaos [--only NAME] [--rounds N]`: slow, failing and stopped parties, kills and overload, on a
 * separate cluster. Prints each figure beside its target. Exit code 1: a target is missed. A signal stops
 * the cluster and every other process first. Linux only.
 */
import { parseArgs } from 'node:util'
import { startChain } from './chain.ts'
import { startCluster } from './cluster.ts'
import { handleSignals, unlessInterrupted } from './ending.ts'
import { isMet, progress, type Row, tableOf } from './report.ts'
import { alertScenarios } from './scenarios/alerts.ts'
import { balanceScenarios } from './scenarios/balance.ts'
import { keyedScenarios } from './scenarios/keyed.ts'
import { killScenarios } from './scenarios/kills.ts'
import { overloadScenarios } from './scenarios/overload.ts'
import { slowScenarios } from './scenarios/slow.ts'
import { telemetryScenarios } from './scenarios/telemetry.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const onChain = { ...slowScenarios, ...balanceScenarios, ...telemetryScenarios }
const onCluster = { ...killScenarios, ...keyedScenarios, ...overloadScenarios, ...alertScenarios }
const names = [...Object.keys(onChain), ...Object.keys(onCluster)]
const isWanted = (name: string) =>
  values.only.length === 0 || values.only.some((part) => name.includes(part))
if (!names.some(isWanted)) {
  process.stderr.write(`no scenario has that name; there are ${names.join(', ')}\n`)
  process.exit(64)
}
const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
const rows: Row[] = []
handleSignals()
const cluster = await unlessInterrupted(startCluster())

async function run(name: string, scenario: () => Promise<Row[]>) {
  progress(`${name} …`)
  const found = await unlessInterrupted(scenario())
  for (const row of found) {
    progress(
      `  ${row.figure}: ${Number(row.measured.toPrecision(4))} (${row.comparison} ${row.target})`,
    )
  }
  rows.push(...found)
}

try {
  if (Object.keys(onChain).some(isWanted)) {
    const chain = await unlessInterrupted(startChain(cluster))
    try {
      for (const [name, scenario] of Object.entries(onChain)) {
        if (isWanted(name)) await run(name, () => scenario({ chain, rounds: rounds ?? 3 }))
      }
    } finally {
      await chain.stop()
    }
  }
  for (const [name, scenario] of Object.entries(onCluster)) {
    if (isWanted(name)) await run(name, () => scenario({ cluster, rounds }))
  }
} finally {
  await cluster.stop()
}
process.stdout.write(`${values.json ? JSON.stringify(rows) : tableOf(rows)}\n`)
process.exitCode = rows.every(isMet) ? 0 : 1
