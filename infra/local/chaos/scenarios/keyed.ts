import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  callKeyed,
  judgeKeyed,
  type KeyedCall,
  type KeyedVerdict,
  type SendKeyed,
  sendKeyed,
  startKeyedLoop,
} from '@repo/testing/keyed'
import { Redis } from 'ioredis'
import { Client as Postgres } from 'pg'
import type { Cluster } from '../cluster.ts'
import { payment, signUp } from '../person.ts'
import { progress, type Row } from '../report.ts'
import type { ClusterScenario } from './kills.ts'

const APPS = ['auth', 'gateway', 'payments']
const CALLERS = 12
const USERS = 4
/** The kills of an app are this far apart at most, beside the time until the instance is back. */
const BETWEEN_KILLS_MS = 1_500
/** A killed instance had the claim: its lease of 15 s ends, and the client sends the request within a second. */
const LONGEST_WAIT_S = 17
const FROZEN_MS = 2_500
const REPLAYED_AT_END = 300

interface Payers {
  /** Stops them, and compares their responses with the rows in PostgreSQL. */
  stop(): Promise<{ rows: Row[]; verdict: KeyedVerdict }>
  /** Sends again the requests of earlier keys, and adds their responses. */
  repeat(count: number): Promise<void>
}

/** Callers that pay through the edge, each payment with a new key. */
async function startPayers(scenario: string, cluster: Cluster): Promise<Payers> {
  const run = randomUUID().slice(0, 8)
  const cookies = await Promise.all(Array.from({ length: USERS }, () => signUp(cluster)))
  const sends = new Map<string, SendKeyed>()
  const loop = startKeyedLoop(CALLERS, (n) => {
    const key = randomUUID()
    const { path, headers, body } = payment(cookies[n % USERS] ?? '', `keyed-${run}-${n}`)
    const post = { url: new URL(path, cluster.edge), key, headers, body }
    const send: SendKeyed = (signal) => sendKeyed(post, signal)
    sends.set(key, send)
    return { key, send }
  })
  const repeated: KeyedCall[] = []
  return {
    async repeat(count) {
      const earlier = [...sends].slice(0, count)
      const calls = earlier.map(([key, send]) => callKeyed({ key, habit: 'once', send }))
      repeated.push(...(await Promise.all(calls)))
    },
    async stop() {
      const calls = withRepeated(await loop.stop(), repeated)
      const { paid, doubled } = await countPayments(cluster, `keyed-${run}-%`)
      const verdict = judgeKeyed(calls)
      const { keys, differing, unanswered, refused } = verdict
      for (const line of refused.slice(0, 5)) progress(`  ${line}`)
      for (const line of countReasons(calls)) progress(`  ${line}`)
      progress(`  ${paid} rows of ${keys} keys; ${verdict.repeated} repetitions`)
      progress(
        `  ${verdict.replays} replays, ${verdict.conflicts} conflicts, ${verdict.failed} attempts failed`,
      )
      const rows = [
        zero(scenario, 'payments made twice', doubled),
        zero(scenario, 'keys without a payment', keys - (paid - doubled)),
        zero(scenario, 'keys whose clients received different responses', differing.length),
        zero(scenario, 'keys without a response, and refusals', unanswered.length + refused.length),
      ]
      return { rows, verdict }
    },
  }
}

/** Adds later calls to those of the same key. */
function withRepeated(calls: readonly KeyedCall[], later: readonly KeyedCall[]): KeyedCall[] {
  const repetitions = new Map(later.map((call) => [call.key, call]))
  return calls.map((call) => {
    const again = repetitions.get(call.key)
    if (!again) return call
    return {
      key: call.key,
      responses: [...call.responses, ...again.responses],
      unanswered: call.unanswered + again.unanswered,
      attempts: call.attempts + again.attempts,
      conflicts: call.conflicts + again.conflicts,
      failures: [...call.failures, ...again.failures],
      longestMs: Math.max(call.longestMs, again.longestMs),
    }
  })
}

/** The reasons of failed attempts, with their numbers. */
function countReasons(calls: readonly KeyedCall[]): string[] {
  const reasons = Map.groupBy(
    calls.flatMap(({ failures }) => failures),
    (reason) => reason,
  )
  return [...reasons].map(([reason, all]) => `${all.length} attempts: ${reason}`)
}

async function countPayments(cluster: Cluster, pattern: string) {
  const postgres = new Postgres(cluster.stores().databaseUrl)
  await postgres.connect()
  try {
    const query =
      'select count(*)::int as paid, count(distinct reference)::int as keys from payment'
    const { rows } = await postgres.query<{ paid: number; keys: number }>(
      `${query} where reference like $1`,
      [pattern],
    )
    const { paid = 0, keys = 0 } = rows[0] ?? {}
    return { paid, doubled: paid - keys }
  } finally {
    await postgres.end()
  }
}

/** Instances of all apps are killed at random moments while clients send each payment until it has a response. */
async function keyedKills({ cluster, rounds = 100 }: ClusterScenario): Promise<Row[]> {
  const payers = await startPayers('keyed-kills', cluster)
  let kills = 0
  async function killer(app: string) {
    while (kills < rounds) {
      kills += 1
      await wait(Math.random() * BETWEEN_KILLS_MS)
      const instances = cluster.instances(app)
      const victim = instances[Math.floor(Math.random() * instances.length)]
      if (!victim) throw new Error(`the cluster has no ${app}`)
      process.kill(victim.pid, 'SIGKILL')
      await cluster.whenBack(victim)
    }
  }
  await Promise.all(APPS.map(killer))
  const { rows, verdict } = await payers.stop()
  return [
    ...rows,
    longestWait('keyed-kills', verdict),
    {
      scenario: 'keyed-kills',
      figure: `attempts that ${rounds} kills interrupted`,
      measured: verdict.failed,
      comparison: '>=',
      target: 1,
    },
  ]
}

/** Redis is killed, frozen and emptied in turns. At the end it is empty, and earlier payments are sent again. */
async function keyedRedis({ cluster, rounds = 9 }: ClusterScenario): Promise<Row[]> {
  const payers = await startPayers('keyed-redis', cluster)
  const faults = [killRedis, freezeRedis, emptyRedis]
  for (let round = 0; round < rounds; round += 1) {
    await wait(500 + Math.random() * 1_000)
    await faults[round % faults.length]?.(cluster)
  }
  await emptyRedis(cluster)
  await payers.repeat(REPLAYED_AT_END)
  const { rows, verdict } = await payers.stop()
  return [...rows, longestWait('keyed-redis', verdict)]
}

async function killRedis(cluster: Cluster): Promise<void> {
  const { valkeyPid } = cluster.stores()
  process.kill(valkeyPid, 'SIGKILL')
  while (cluster.stores().valkeyPid === valkeyPid) await wait(50)
}

async function freezeRedis(cluster: Cluster): Promise<void> {
  const { valkeyPid } = cluster.stores()
  process.kill(valkeyPid, 'SIGSTOP')
  await wait(FROZEN_MS)
  process.kill(valkeyPid, 'SIGCONT')
}

async function emptyRedis(cluster: Cluster): Promise<void> {
  const redis = new Redis(cluster.stores().redisUrl)
  await redis.flushall()
  redis.disconnect()
}

function zero(scenario: string, figure: string, measured: number): Row {
  return { scenario, figure, measured, comparison: '<=', target: 0 }
}

function longestWait(scenario: string, { longestMs }: KeyedVerdict): Row {
  const figure = 'longest wait of a client for its response, in s'
  return {
    scenario,
    figure,
    measured: longestMs / 1_000,
    comparison: '<=',
    target: LONGEST_WAIT_S,
  }
}

export const keyedScenarios = { 'keyed-kills': keyedKills, 'keyed-redis': keyedRedis }
