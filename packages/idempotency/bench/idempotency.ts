/**
 * Our middleware beside its peers, and our transactions beside the bare one and the shape of tables
 * of claims: `pnpm bench idempotency [--only TEXT]`. Targets are those of docs/benchmarks.md.
 */
import { openBench, target } from '@repo/testing/bench'
import { peers } from './peers.ts'
import { startBenchPostgres } from './postgres.ts'
import { countRoundTrips, measureRecords } from './records.ts'

const bench = await openBench('idempotency', new URL('instance.ts', import.meta.url))
const postgres = await startBenchPostgres()
process.env['DATABASE_URL'] = postgres.url
const base = 'Hono alone'
const peer = '@node-idempotency/core'
const contenders = [base, 'ours', ...Object.keys(peers)]

for (const [workload, title, limit] of [
  ['first', 'first call', 1.1],
  ['replay', 'replay', 0.9],
] as const) {
  await bench.server.flush()
  for (const inFlight of [1, 64]) {
    await bench.closed({
      ...{ title, contenders, peer, inFlight, env: { WORKLOAD: workload } },
      targets: (found) => [
        target(
          `${title}, ${inFlight} in flight, CPU above Hono alone`,
          found.ratioAbove('ours', 'clientUs', base),
          '<=',
          limit,
        ),
      ],
    })
  }
  await bench.open({ title, contenders: ['ours', peer], peer, env: { WORKLOAD: workload } })
}
await bench.section('round trips', () => countRoundTrips(bench.server.url))

const bare = 'bare transaction'
const commits = 'claim, run, complete'
for (const inFlight of [1, 32]) {
  await bench.closed({
    title: 'transaction',
    contenders: [bare, 'ours, two tiers', 'ours, lock', commits],
    peer: bare,
    inFlight,
    env: { DATABASE_URL: postgres.url },
    other: { name: 'PostgreSQL', cpuUs: () => postgres.cpuUs() },
    targets: (found) => [
      target(
        `two tiers, ${inFlight} in flight, CPU of the instance`,
        found.ratio('ours, two tiers', 'clientUs'),
        '<=',
        1.6,
      ),
      target(
        `two tiers, ${inFlight} in flight, throughput of ${commits}`,
        found.ratio('ours, two tiers', 'perSecond', commits),
        '>=',
        1.3,
      ),
    ],
  })
}
await bench.section('records', () => measureRecords(bench.server.url, postgres))
await bench.close()
await postgres.stop()
