import { setTimeout as wait } from 'node:timers/promises'
import type { Chain, StandIn } from '../chain.ts'
import { createClient, type Sample, startLoop } from '../load.ts'
import { percentile, type Row } from '../report.ts'
import type { ChainScenario } from './slow.ts'

const ADDRESS = '127.0.0.3'
const SPEC = { path: '/api/auth/quick' }
const RATE = 200
const SEQUENTIAL = 600
const FINE = { status: 200, delayMs: 0 }

function victimOf(chain: Chain): StandIn {
  const [, victim] = chain.standIns
  if (!victim) throw new Error('the chain has no second stand-in')
  return victim
}

async function failingFast({ chain }: ChainScenario): Promise<Row[]> {
  const victim = victimOf(chain)
  const client = createClient(chain.edge, ADDRESS)
  const loop = startLoop(client, RATE, () => SPEC)
  await wait(2_000)
  await victim.behave({ status: 500, delayMs: 0 })
  await wait(13_000)
  const samples = await loop.stop()
  await victim.behave(FINE)
  client.close()
  const firstAtMs = Math.min(
    ...samples.filter(({ status }) => status >= 500).map(({ atMs }) => atMs),
  )
  const late = samples.filter(({ atMs }) => atMs >= firstAtMs + 2_000 && atMs < firstAtMs + 12_000)
  const share = late.filter(({ servedBy }) => servedBy === victim.id).length / late.length
  return [
    {
      scenario: 'failing-fast',
      figure: 'its requests from 2 to 12 s, %',
      measured: share * 100,
      comparison: '<=',
      target: 5,
    },
  ]
}

async function sequential(chain: Chain): Promise<number> {
  const client = createClient(chain.edge, ADDRESS)
  const samples: Sample[] = []
  for (let i = 0; i < SEQUENTIAL; i += 1) samples.push(await client.send(SPEC))
  client.close()
  return percentile(
    samples.map(({ ms }) => ms),
    0.99,
  )
}

async function slower({ chain }: ChainScenario): Promise<Row[]> {
  const victim = victimOf(chain)
  await sequential(chain)
  const before = await sequential(chain)
  await victim.behave({ status: 200, delayMs: 200 })
  await sequential(chain)
  const during = await sequential(chain)
  await victim.behave(FINE)
  return [
    {
      scenario: 'one-slower',
      figure: 'p99 of sequential requests, ratio',
      measured: during / before,
      comparison: '<=',
      target: 1.3,
    },
  ]
}

async function stopped({ chain }: ChainScenario): Promise<Row[]> {
  const victim = victimOf(chain)
  const client = createClient(chain.edge, ADDRESS)
  const loop = startLoop(client, RATE / 2, () => SPEC)
  await wait(2_000)
  process.kill(victim.pid, 'SIGSTOP')
  await wait(6_000)
  const samples = await loop.stop()
  process.kill(victim.pid, 'SIGCONT')
  client.close()
  const row = { scenario: 'stopped', comparison: '<=' } as const
  const failed = samples.filter(({ status }) => status !== 200).length
  const p99 = percentile(
    samples.map(({ ms }) => ms),
    0.99,
  )
  return [
    { ...row, figure: 'failures', measured: failed, target: 0 },
    { ...row, figure: 'p99, ms', measured: p99, target: 1_000 },
  ]
}

export const balanceScenarios = {
  'failing-fast': failingFast,
  'one-slower': slower,
  stopped,
}
