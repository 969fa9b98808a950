/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectDatabase, type DatabaseConnection, migrateDatabase } from '@repo/database'
import {
  copyMutant,
  type Edit,
  endReplicas,
  expect,
  type Replica,
  replaceOnce,
  startReplicas,
  type TcpProxy,
  test as base,
  until,
} from '@repo/testing'
import type { Opening, Used } from './instance.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 3)
const OURS = join(import.meta.dirname, 'keys.ts')

/** The checks of each instance after an outage. */
const CHECKS_AFTER = 500

type Progress = Pick<Used, 'checks' | 'accepted'>

interface Cluster {
  three: Replica[]
  proxies: TcpProxy[]
  database: DatabaseConnection
}

interface Verdict {
  rounds: number
  checks: number
  accepted: number
  violations: number
}

const test = base
  .extend('database', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    await migrateDatabase({ url: databaseUrl })
    const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 2 })
    onCleanup(() => database.close())
    return database
  })
  .extend('three', { scope: 'file' }, async ({}, { onCleanup }) => {
    const program = new URL('instance.fixture.ts', import.meta.url)
    const three = await startReplicas(3, { program })
    onCleanup(() => endReplicas(three))
    return three
  })
  .extend(
    'openCluster',
    async ({ databaseUrl, redisUrl, database, three, tcpProxy }) =>
      async (source = OURS): Promise<Cluster> => {
        await Promise.all(three.map((replica) => replica.call('close')))
        const proxies = await Promise.all(three.map(() => tcpProxy({ target: redisUrl })))
        await Promise.all(
          three.map((replica, i) => {
            const stores = { databaseUrl, redisUrl: proxies[i]!.url }
            const opening: Opening = { source, instance: `gateway-${i + 1}`, ...stores }
            return replica.call('open', opening)
          }),
        )
        return { three, proxies, database }
      },
  )

interface Key {
  userId: string
  id: string
  text: string
}

/** All instances use a key while the second one ends it. One instance is 20 ms late. */
async function useThroughEnd({ three, proxies }: Cluster, how: string): Promise<Verdict> {
  const [first, second] = three
  const { text, ...key } = await first!.call<Key>('makeKey')
  proxies[2]!.delay(20)
  await Promise.all(three.map((replica) => replica.call('use', text)))
  // From before the first check of an instance has loaded the key, to long after.
  await pause(Math.random() * 60)
  const end = await second!.call<{ outcome: string; atMs: number }>('end', { how, ...key })
  await pause(60)
  const used = await Promise.all(three.map((replica) => replica.call<Used>('halt')))
  proxies[2]!.delay(0)
  const late = used.filter(({ lastValidMs }) => lastValidMs > end.atMs)
  return {
    rounds: 1,
    checks: used.reduce((sum, { checks }) => sum + checks, 0),
    accepted: used.reduce((sum, { accepted }) => sum + accepted, 0),
    violations: late.length + (end.outcome === 'confirmed' ? 0 : 1),
  }
}

async function repeat(n: number, race: () => Promise<Verdict>): Promise<Verdict> {
  const sum = { rounds: 0, checks: 0, accepted: 0, violations: 0 }
  while (sum.rounds < n && sum.violations === 0) {
    const verdict = await race()
    sum.rounds += verdict.rounds
    sum.checks += verdict.checks
    sum.accepted += verdict.accepted
    sum.violations += verdict.violations
  }
  return sum
}

function report(what: string, verdict: Verdict) {
  process.stdout.write(`${what}: ${JSON.stringify(verdict)}\n`)
}

test.for(['revocation', 'ban', 'deletion of the user', 'deletion of the row'])(
  'K2: after the answer to a %s, no instance accepts a key that all three use at the time',
  async (how, { openCluster }) => {
    const cluster = await openCluster()
    const verdict = await repeat(ROUNDS, () => useThroughEnd(cluster, how))
    report(`key, ${how}`, verdict)
    expect(verdict.accepted).toBeGreaterThan(0)
    expect(verdict.violations).toBe(0)
  },
)

function callAll<T>(replicas: Replica[], name: string): Promise<T[]> {
  return Promise.all(replicas.map((replica) => replica.call<T>(name)))
}

/** A key is revoked while no instance reaches Redis, which then returns with the old record. */
async function revokeDuringOutage({ three, proxies }: Cluster): Promise<Verdict> {
  const [first, second] = three
  const { text, ...key } = await first!.call<Key>('makeKey')
  for (const replica of three) expect(await replica.call('check', text)).toBe('valid')
  await Promise.all(proxies.map((proxy) => proxy.cut()))
  const end = await second!.call<{ outcome: string }>('end', { how: 'revocation', ...key })
  await until(async () => {
    const checks = await Promise.all(three.map((replica) => replica.call('check', text)))
    return checks.every((check) => check === 'revoked')
  })
  await Promise.all(three.map((replica) => replica.call('use', text)))
  await Promise.all(proxies.map((proxy) => proxy.heal()))
  // Each instance trusts its records again, or a mutant has accepted the key. Then many checks follow.
  await until(async () => {
    const hasAccepted = (await callAll<Progress>(three, 'progress')).some((one) => one.accepted > 0)
    return hasAccepted || (await callAll<boolean>(three, 'holds')).every(Boolean)
  })
  const before = await callAll<Progress>(three, 'progress')
  await until(async () => {
    const after = await callAll<Progress>(three, 'progress')
    return after.every(({ checks }, i) => checks - before[i]!.checks >= CHECKS_AFTER)
  })
  const used = await Promise.all(three.map((replica) => replica.call<Used>('halt')))
  return {
    rounds: 1,
    checks: used.reduce((sum, { checks }) => sum + checks, 0),
    accepted: 0,
    violations:
      used.filter(({ accepted }) => accepted > 0).length + (end.outcome === 'pending' ? 0 : 1),
  }
}

test('K3: no instance accepts a key that was revoked during an outage of Redis, after it returned', async ({
  openCluster,
}) => {
  const cluster = await openCluster()
  const verdict = await repeat(Math.ceil(ROUNDS / 3), () => revokeDuringOutage(cluster))
  report('key, outage', verdict)
  expect(verdict.checks).toBeGreaterThanOrEqual(verdict.rounds * 3 * CHECKS_AFTER)
  expect(verdict.violations).toBe(0)
})

const mutants: [name: string, edit: Edit, race: (cluster: Cluster) => Promise<Verdict>][] = [
  [
    'no wait for the instances',
    ['keys.ts', "settle({ confirm: 'all' })", 'settle()'],
    (cluster) => useThroughEnd(cluster, 'revocation'),
  ],
  [
    'trust without the outbox',
    ['keys.ts', 'trust?.holds() ?? false', 'bus.health().leaseMsLeft > 0'],
    revokeDuringOutage,
  ],
]

test.for(mutants)(
  'K2, K3: the mutant with %s is caught',
  async ([name, edit, race], { openCluster }) => {
    const mutant = await copyMutant(import.meta.dirname, name, [edit])
    try {
      const cluster = await openCluster(join(dirname(mutant.source), 'keys.ts'))
      const verdict = await repeat(20, () => race(cluster))
      expect(verdict.violations).toBeGreaterThan(0)
    } finally {
      await mutant.remove()
    }
  },
)

test('K2: the database without the message of a revocation is caught', async ({ openCluster }) => {
  const cluster = await openCluster()
  const { pool } = cluster.database
  const { rows } = await pool.query<{ definition: string }>(
    `select pg_get_functiondef('api_key_changed'::regproc) as definition`,
  )
  const definition = rows[0]?.definition ?? ''
  await pool.query(replaceOnce(definition, `'cache', 'api-key'`, `'cache', 'none'`))
  try {
    const verdict = await repeat(20, () => useThroughEnd(cluster, 'revocation'))
    expect(verdict.violations).toBeGreaterThan(0)
  } finally {
    await pool.query(definition)
  }
})
