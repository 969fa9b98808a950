import { setTimeout as wait } from 'node:timers/promises'
import { createClient } from '../load/load-client.ts'
import { underLoad } from '../load/under-load.ts'
import { type App, type Container, containersOf } from '../stack/containers.ts'
import { docker } from '../stack/docker.ts'
import { untilUp } from '../stack/edge.ts'
import { EDGE, POOL_SIZE } from '../stack/env.ts'
import { countConnections, restartPostgres } from '../stack/postgres.ts'
import { say } from '../stack/say.ts'
import { expectFlawless, paymentFaults, paymentText, verdict } from './verdicts.ts'

/** Ends an app as a crash does: SIGKILL to every process of its container, from inside. */
async function kill({ id }: Container): Promise<void> {
  await docker(['exec', id, 'bash', '-c', 'kill -9 -1']).catch(() => 'the shell dies with the rest')
}

interface Short {
  /** The least number of requests under each fault. */
  requests: number
}

export async function killed({ requests, apps }: Short & { apps: readonly App[] }): Promise<void> {
  for (const app of apps) {
    const before = await containersOf(app)
    const load = { requests: Math.min(requests, 1_000) }
    const result = await underLoad(`kill -9 of one ${app}`, load, async () => {
      await wait(2_000)
      if (before[0]) await kill(before[0])
      await untilUp(`${app}-blue`, before.length)
    })
    const posts = result.load.failed.filter(({ kind }) => kind === 'pay').length
    const others = result.load.failed.length - posts
    verdict(
      `kill -9 of one ${app}: at most attempts of the payments in flight fail, and each payment is made once`,
      others === 0 && posts <= 5 && paymentFaults(result) === 0,
      `${posts} attempts of payments and ${others} others failed of ${result.load.sent}; ${paymentText(result)}`,
    )
  }
}

export async function redisHangs(): Promise<void> {
  const [redis] = await containersOf('valkey-state')
  if (!redis) throw new Error('valkey-state does not run')
  const client = createClient(EDGE)
  const admin = await client.signIn('grace@threefold.test', 'three-of-everything')
  let slowest = 0
  let statuses = ''
  const result = await underLoad('valkey-state paused', { requests: 1_000 }, async () => {
    await docker(['pause', redis.id])
    try {
      for (let i = 0; i < 10; i += 1) {
        const began = performance.now()
        const { status } = await client.get('/api/cluster', admin)
        slowest = Math.max(slowest, performance.now() - began)
        statuses = [...new Set([...statuses.split(' ').filter(Boolean), String(status)])].join(' ')
        await wait(300)
      }
    } finally {
      await docker(['unpause', redis.id])
    }
  })
  client.close()
  expectFlawless('while Redis hangs, requests that PostgreSQL can serve are served', result)
  verdict(
    'while Redis hangs, requests that need it receive 503 within a second',
    statuses === '503' && slowest < 1_000,
    `status ${statuses}, slowest ${Math.round(slowest)} ms`,
  )
}

/** The time that a person waits. A request usually takes less, except on a busy machine. */
const PATIENCE_MS = 5_000

export async function postgresRestarted({ requests }: Short): Promise<void> {
  const load = { requests: Math.min(requests, 2_000) }
  const result = await underLoad('PostgreSQL restarted', load, async () => {
    await wait(3_000)
    say(`postgres: restarted; queries were held for ${await restartPostgres()} ms`)
    await wait(5_000)
  })
  const { max } = result.load.latencyMs
  expectFlawless('a restart of PostgreSQL fails no request', result)
  verdict('and no request waits longer than 5 s', max < PATIENCE_MS, `longest ${max} ms`)
}

const CLIENTS = 300
const ROUNDS = 5
/** The time in which a person reads before the next click. */
const THINK_MS = 2_000

export async function connections(): Promise<void> {
  const client = createClient(EDGE, CLIENTS)
  const cookie = await client.signUp(`clients-${Date.now()}`)
  const done = new AbortController()
  const statuses = new Map<number, number>()
  let most = 0

  async function ask(n: number) {
    const { status } = await client.get(n % 2 ? '/api/payments' : '/api/me', cookie)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  async function everyone() {
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, n) => {
        await wait((n / CLIENTS) * THINK_MS)
        for (let round = 0; round < ROUNDS; round += 1) {
          await ask(n + round)
          await wait(THINK_MS)
        }
      }),
    )
  }
  const watched = everyone().finally(() => done.abort())
  while (!done.signal.aborted) most = Math.max(most, await countConnections())
  await watched
  client.close()
  const answers = [...statuses].map(([status, count]) => `${count} times ${status}`).join(', ')
  verdict(
    `${CLIENTS} clients are answered with no more PostgreSQL connections than the pool's size`,
    most <= POOL_SIZE && statuses.get(200) === CLIENTS * ROUNDS,
    `at most ${most} of ${POOL_SIZE}; ${answers}`,
  )
}
