// A launcher without its apps: launcher.fixture.ts. It takes the state, runs a PostgreSQL and two
// instances that take a while to drain, and prints their pids as JSON.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { startPostgres } from '@repo/embedded'
import { CLUSTER_FILE, prepareState, STATE, writeState } from '../state/state.ts'
import { createClusterGuard } from './cluster-guard.ts'
import { claimState } from './ownership.ts'
import { createProcessTable, STORES } from './process-table.ts'

export interface FixtureReport {
  pids: Record<string, number>
}

claimState()
const guard = createClusterGuard({ unwatched: new Set([...STORES, 'launcher']) })
const processes = createProcessTable(guard)
await prepareState({ fresh: false })
processes.add('launcher', process.pid)
const postgres = await startPostgres({ dataDir: join(STATE, 'postgres'), endAfter: guard.pid })
processes.add('postgres', postgres.pid)

/** Appends a line to the log when it has drained. */
const instance = (name: string) => `
  const { appendFileSync } = require('node:fs')
  process.on('SIGTERM', () => setTimeout(() => {
    appendFileSync(process.env.LOG, '${name}\\n')
    process.exit()
  }, 200))
  setInterval(() => {}, 1e6)
  process.stdout.write('ready')`

const pids: Record<string, number> = { guard: guard.pid, postgres: postgres.pid }
for (const name of ['gateway-1', 'edge']) {
  const child = spawn(process.execPath, ['-e', instance(name)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, LOG: join(STATE, 'order.log') },
  })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  processes.add(name, child.pid ?? 0)
  pids[name] = child.pid ?? 0
}
writeState(CLUSTER_FILE, { edge: 'http://localhost:1', instances: [] })
const report: FixtureReport = { pids }
process.stdout.write(`${JSON.stringify(report)}\n`)
setInterval(() => undefined, 1e6)
