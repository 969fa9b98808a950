/**
 * CPU of a request through the whole gateway (session, four limits without leases, trace, log line,
 * signed identity), and through an edge and the gateway, beside the proxy core and nginx with one
 * process: `pnpm bench gateway [--rounds N] [--only TEXT]`. The cost is that of all processes between
 * the client and the origin. Rounds take turns, and each ratio is of one round.
 */
import { estimate, openBench, type Target, target } from '@repo/testing/bench'
import { closedLoop, openArrivals } from './load.ts'
import { type Served, startServers } from './servers.ts'

const CLOSED_REQUESTS = 3_000
const WARM_UP_ROUNDS = 10
const OPEN_RATE = 1_000
const OPEN_MS = 1_500

const bench = await openBench('gateway', new URL('origin.ts', import.meta.url))

async function measure(load: (served: Served) => Promise<number>, title: string) {
  await using servers = await startServers(bench.server.url)
  const costs = new Map<string, number[]>(servers.subjects.map(({ name }) => [name, []]))
  // The first rounds compile the code: a server needs about 30,000 requests until its cost is steady.
  for (let round = -WARM_UP_ROUNDS; round < bench.options.rounds; round += 1) {
    for (const subject of servers.subjects) {
      const before = subject.cpuUs()
      const answered = await load(subject)
      if (round >= 0) costs.get(subject.name)?.push((subject.cpuUs() - before) / answered)
    }
  }
  if (!servers.hasNginx)
    console.log('nginx: skipped, because it is not installed (apt-get install nginx-light)')
  console.log(tableOf(title, costs))
  return (name: string, peer: string) => {
    const peers = costs.get(peer) ?? []
    return estimate((costs.get(name) ?? []).map((cost, i) => cost / (peers[i] ?? Number.NaN)))
  }
}

function tableOf(title: string, costs: ReadonlyMap<string, number[]>): string {
  const rows = [...costs].map(([name, all]) => {
    const { value, low, high } = estimate(all)
    return `| ${name} | ${value.toFixed(1)} | ${low.toFixed(1)} to ${high.toFixed(1)} |`
  })
  return [`| ${title} | µs of CPU | 95 % |`, '| --- | --- | --- |', ...rows, ''].join('\n')
}

await bench.section('closed loop, 32 connections', async () => {
  const ratio = await measure(
    ({ origin, headers }) => closedLoop(origin, headers, CLOSED_REQUESTS),
    'closed loop, 32 connections',
  )
  const toCore: Target = target('gateway to core', ratio('gateway', 'core'), '<=', 1.9)
  const toNginx = ratio('gateway', 'nginx')
  if (Number.isNaN(toNginx.value)) return [toCore]
  return [
    toCore,
    target('gateway to nginx', toNginx, '<=', 7.5),
    target('edge and gateway to nginx', ratio('edge and gateway', 'nginx'), '<=', 12),
  ]
})
await bench.section(`open loop, ${OPEN_RATE}/s`, async () => {
  await measure(
    ({ origin, headers }) => openArrivals(origin, headers, OPEN_RATE, OPEN_MS),
    `open loop, ${OPEN_RATE}/s`,
  )
  return []
})
await bench.close()
