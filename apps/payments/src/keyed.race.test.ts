import { randomUUID } from 'node:crypto'
import { connectDatabase } from '@repo/database'
import type { Identity } from '@repo/service'
import { expect, type Replica, test, until } from '@repo/testing'
import {
  callKeyed,
  type Habit,
  HABITS,
  judgeKeyed,
  type KeyedCall,
  sendKeyed,
} from '@repo/testing/keyed'
import { identityFor, order, payer, SECRET } from './app.fixture.ts'

const program = new URL('main.ts', import.meta.url)
const body = JSON.stringify(order)
const path = '/api/payments'
const KILLS = Number(process.env['RACE_ROUNDS'] ?? 5)

function environment(databaseUrl: string, redisUrl: string) {
  return {
    ...{ HOST: '127.0.0.1', ORIGIN: 'http://localhost:8080', DRAIN_MS: '0' },
    ...{ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, INTERNAL_SECRET: SECRET },
    ...{ DATABASE_CONNECTIONS: '24', DATABASE_INSTANCES: '3' },
  }
}

let turn = 0

/** Sends a payment to one of the instances, another one each time. */
function sender(instances: readonly Replica[], caller: Identity, key: string) {
  return (signal?: AbortSignal) => {
    const { url } = instances[(turn += 1) % instances.length]!
    const headers = {
      'content-type': 'application/json',
      ...identityFor(caller, 'POST', path, body),
    }
    return sendKeyed({ url: url + path, key, headers, body, timeoutMs: 10_000 }, signal)
  }
}

/** The payments of each payer, and whether each one has two entries that sum to zero. */
async function readPayments(databaseUrl: string) {
  const { pool, close } = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const payments = await pool.query<{ payer: string; n: number }>(
    'select payer_id as payer, count(*)::int as n from payment group by 1',
  )
  const unbooked = await pool.query(
    `select p.id from payment p left join ledger_entry e on e.payment_id = p.id
     group by p.id having count(e.account) <> 2 or sum(e.amount) <> 0`,
  )
  const keys = await pool.query<{ n: number }>('select count(*)::int as n from idempotency_key')
  await pool.query('truncate payment, ledger_entry, idempotency_key')
  await close()
  return {
    counts: new Map(payments.rows.map(({ payer: id, n }) => [id, n])),
    unbooked: unbooked.rows,
    keys: keys.rows[0]?.n,
  }
}

/**
 * Delays each write of a key in PostgreSQL on purpose. Most transactions are then between their payment
 * and their key, so a kill of the instance is likely to end one there. No assertion depends on the delay.
 */
async function slowKeys(databaseUrl: string): Promise<void> {
  const { pool, close } = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  await pool.query(
    `create function slow_key() returns trigger language plpgsql as $$
     begin perform pg_sleep(0.05); return new; end $$`,
  )
  await pool.query(
    `create trigger slow_key before insert or update on idempotency_key
     for each row execute function slow_key()`,
  )
  await close()
}

test('100 concurrent requests of each of 12 keys on three instances make 12 payments with the same bytes for all clients', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const instances = await replicas(3, { program, env, ready: '/readyz' })
  const payers = Array.from({ length: 12 }, payer)
  const calls = await Promise.all(
    payers.map(async (caller) => {
      const key = randomUUID()
      const send = sender(instances, caller, key)
      const habit: Habit = 'once'
      const clients = Array.from({ length: 100 }, () =>
        callKeyed({ key, habit, send, maxPauseMs: 100 }),
      )
      const all = await Promise.all(clients)
      return { ...all[0]!, responses: all.flatMap(({ responses }) => responses), all }
    }),
  )
  const verdict = judgeKeyed(calls)
  expect(verdict).toMatchObject({ differing: [], unanswered: [], refused: [] })
  expect(calls.flatMap(({ responses }) => responses)).toHaveLength(1_200)
  // All but one client of each key received a replay.
  expect(verdict.replays).toBe(1_188)
  const { counts, unbooked, keys } = await readPayments(databaseUrl)
  expect([...counts.values()]).toEqual(Array(12).fill(1))
  expect([unbooked, keys]).toEqual([[], 12])
})

test('an instance that hangs in a transaction holds its key for at most the lease, and its payment is rolled back', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const [victim, other] = await replicas(2, { program, env, ready: '/readyz' })
  const { pool, close } = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 2 })
  const [ada, key] = [payer(), randomUUID()]
  // The insert of the payment waits for this lock, and the instance is stopped meanwhile.
  const blocker = await pool.connect()
  await blocker.query('begin')
  await blocker.query('lock table payment in share mode')
  const hanging = sender([victim!], ada, key)()
  const waits = `select pid from pg_stat_activity where application_name = 'replica-1'
    and wait_event_type = 'Lock' and query like 'insert into "payment"%'`
  await expect.poll(async () => (await pool.query(waits)).rows).toHaveLength(1)
  victim!.stop()
  await blocker.query('commit')
  blocker.release()
  const send = sender([other!], ada, key)
  const made = await callKeyed({ key, habit: 'once', send, maxPauseMs: 200 })
  expect(made.responses).toMatchObject([{ status: 201 }])
  victim!.continue()
  const late = await hanging
  expect([201, 503, 409]).toContain(late.status)
  if (late.status === 201) expect(late.body).toBe(made.responses[0]?.body)
  await close()
  const { counts, unbooked, keys } = await readPayments(databaseUrl)
  expect([[...counts.values()], unbooked, keys]).toEqual([[1], [], 1])
})

test(`in ${KILLS} kills with -9 of instances that make payments, each key makes one payment, and all its clients get the same bytes`, async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const instances = await replicas(3, { program, env, ready: '/readyz' })
  await slowKeys(databaseUrl)
  const payers: Identity[] = []
  const stopped = new AbortController()

  /** Makes one payment after the other, with the habits of clients in turn. */
  async function makePayments(): Promise<KeyedCall[]> {
    const calls: KeyedCall[] = []
    while (!stopped.signal.aborted) {
      const [caller, key] = [payer(), randomUUID()]
      const habit = HABITS[payers.push(caller) % HABITS.length] ?? 'once'
      const send = sender(instances, caller, key)
      calls.push(await callKeyed({ key, habit, send, maxPauseMs: 100 }))
    }
    return calls
  }

  const paying = Promise.all(Array.from({ length: 12 }, makePayments))
  for (let kills = 0; kills < KILLS; kills += 1) {
    const made = payers.length
    await until(() => payers.length > made + 20)
    const victim = kills % instances.length
    await instances[victim]!.kill()
    const [next] = await replicas(1, { program, env, ready: '/readyz' })
    instances[victim] = next!
  }
  stopped.abort()
  const calls = (await paying).flat()
  const verdict = judgeKeyed(calls)
  expect(verdict).toMatchObject({ differing: [], unanswered: [], refused: [] })
  expect(verdict.failed).toBeGreaterThanOrEqual(KILLS)
  const { counts, unbooked, keys } = await readPayments(databaseUrl)
  expect(payers.map(({ userId }) => counts.get(userId))).toEqual(Array(calls.length).fill(1))
  expect([unbooked, keys]).toEqual([[], calls.length])
})
