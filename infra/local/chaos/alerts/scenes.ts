import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Client as Postgres } from 'pg'
import type { Cluster } from '../cluster.ts'
import { type Client, startLoop } from '../load.ts'
import { payment, signUp } from '../person.ts'
import type { Labels, Watch } from './watch.ts'

export interface Stage {
  cluster: Cluster
  client: Client
  watch: Watch
}

const RATE = 20
const REDIS_ALERTS = [
  'RedisBreakerOpen',
  'BusDeaf',
  'RevocationsPending',
  'SessionHitRateLow',
  'IdempotencyStoreErrors',
]

/** Stops processes while the work runs. */
async function whileFrozen(pids: readonly number[], work: () => Promise<void>): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  try {
    await work()
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  }
}

/** Valkey hangs while users send requests and payments, and some of them sign out. */
export async function redisHangs({ cluster, client, watch }: Stage): Promise<void> {
  const cookies = await Promise.all(Array.from({ length: 6 }, () => signUp(cluster)))
  const [cookie = '', ...leaving] = cookies
  const load = startLoop(client, RATE, () => ({ path: '/api/me', headers: { cookie } }))
  const payments = startLoop(client, 4, (n) => payment(cookie, `paid-${n}`, randomUUID()))
  const origin = 'http://localhost:9380'
  for (const name of REDIS_ALERTS) await watch.rests(name)
  await whileFrozen([cluster.stores().valkeyPid], async () => {
    const signOut = { method: 'POST', path: '/api/auth/sign-out', body: '{}' }
    for (const each of leaving) {
      const headers = { cookie: each, origin, 'content-type': 'application/json' }
      void client.send({ ...signOut, headers })
    }
    for (const name of REDIS_ALERTS) await watch.fires(name)
  })
  for (const name of REDIS_ALERTS) await watch.resolves(name)
  await load.stop()
  await payments.stop()
}

/** A client uses one key for all its payments. */
export async function keyReused({ cluster, client, watch }: Stage): Promise<void> {
  const [cookie, key] = [await signUp(cluster), randomUUID()]
  await watch.rests('IdempotencyRefusalsHigh')
  const load = startLoop(client, RATE, (n) => payment(cookie, `reused-${n}`, key))
  await watch.fires('IdempotencyRefusalsHigh', { app: 'gateway' })
  await load.stop()
  await watch.resolves('IdempotencyRefusalsHigh')
}

/** A transaction locks the payments, so queries wait, requests are slow, and then they fail. */
export async function tableLocked({ cluster, client, watch }: Stage): Promise<void> {
  const cookie = await signUp(cluster)
  const load = startLoop(client, RATE, () => ({ path: '/api/payments', headers: { cookie } }))
  const names: [string, Labels][] = [
    ['DatabaseWaiting', { app: 'payments' }],
    ['ErrorBudgetBurnFast', { app: 'payments' }],
    ['ErrorBudgetBurnSlow', { app: 'payments' }],
    ['LatencyHigh', { app: 'payments', route: '/api/payments' }],
  ]
  for (const [name, labels] of names) await watch.rests(name, labels)
  const postgres = new Postgres(cluster.stores().databaseUrl)
  await postgres.connect()
  await postgres.query('begin; lock table payment in access exclusive mode')
  for (const [name, labels] of names) await watch.fires(name, labels)
  await postgres.query('commit')
  await postgres.end()
  for (const [name, labels] of names) await watch.resolves(name, labels)
  await load.stop()
}

/** One instance of payments stops, and then all of them. */
export async function instancesStop({ cluster, watch }: Stage): Promise<void> {
  await watch.rests('InstanceMissing')
  await watch.rests('AppDown')
  const [first = 0, ...others] = cluster.instances('payments').map(({ pid }) => pid)
  await whileFrozen([first], async () => {
    await watch.fires('InstanceMissing', { app: 'payments' })
    await whileFrozen(others, () => watch.fires('AppDown', { app: 'payments' }))
  })
  await watch.resolves('AppDown', { app: 'payments' })
  await watch.resolves('InstanceMissing', { app: 'payments' })
}

/** An instance of auth gets the processor in turns with long pauses. */
export async function loopPauses({ cluster, watch }: Stage): Promise<void> {
  const [auth] = cluster.instances('auth')
  if (!auth) throw new Error('the cluster has no auth')
  await watch.rests('EventLoopSlow', { instance: auth.id })
  const stopping = new AbortController()
  const pausing = (async () => {
    while (!stopping.signal.aborted) {
      await whileFrozen([auth.pid], () => wait(350))
      await wait(150)
    }
  })()
  await watch.fires('EventLoopSlow', { instance: auth.id })
  stopping.abort()
  await pausing
  await watch.resolves('EventLoopSlow', { instance: auth.id })
}
