/**
 * Our middleware beside its peers, and our transactions beside the bare one and the shape of tables
 * of claims: `pnpm bench idempotency [--only TEXT]`. Targets are those of docs/benchmarks.md.
 */
import { openBench } from '@repo/testing/bench'
import { peers } from './peers.ts'
import { startBenchPostgres } from './postgres.ts'

const bench = await openBench('idempotency', new URL('instance.ts', import.meta.url))
const base = 'Hono alone'
const peer = '@node-idempotency/core'
const contenders = [base, ...Object.keys(peers)]

for (const [workload, title] of [
  ['first', 'first call'],
  ['replay', 'replay'],
] as const) {
  await bench.server.flush()
  for (const inFlight of [1, 64]) {
    await bench.closed({
      ...{ title, contenders, peer, inFlight, env: { WORKLOAD: workload } },
    })
  }
}

const postgres = await startBenchPostgres()
for (const inFlight of [1, 32]) {
  await bench.closed({
    title: 'transaction',
    contenders: ['bare transaction', 'claim, run, complete'],
    peer: 'bare transaction',
    inFlight,
    env: { DATABASE_URL: postgres.url },
    other: { name: 'PostgreSQL', cpuUs: () => postgres.cpuUs() },
  })
}
await bench.close()
await postgres.stop()
