import { blockEventLoop, expect, until } from '@repo/testing'
import type { Hammered } from './instance.fixture.ts'
import { test } from './join.fixture.ts'
import {
  endDuringPause,
  LAPSE_MS,
  revokeDuringPause,
  revokeDuringRefusals,
} from './lapse.fixture.ts'
import { makeMutant } from './mutants.fixture.ts'
import { makeUser, signIn, withSecondCookie } from './open.fixture.ts'

const OURS = new URL('index.ts', import.meta.url).pathname
const program = new URL('instance.fixture.ts', import.meta.url)
const noTurns = { relayMs: 3_600_000 }

/** Runs a scenario with a mutant of this package. */
async function withMutant<T>(
  mutant: Parameters<typeof makeMutant>[0],
  scenario: (source: string) => Promise<T>,
): Promise<T> {
  const { source, remove } = await makeMutant(mutant)
  try {
    return await scenario(source)
  } finally {
    await remove()
  }
}

test('S10: after each of 3 lapses of the lease, none of 300 concurrent checks of cached sessions queries PostgreSQL', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const userId = await makeUser(a.database)
  const signedIn = await Promise.all(Array.from({ length: 30 }, () => signIn(a.database, userId)))
  const [inMemory, inRedis, withSecond] = [0, 10, 20].map((from) =>
    signedIn.slice(from, from + 10).map(({ cookie }) => cookie),
  )
  for (const cookie of [...inMemory!, ...inRedis!]) await b.sessions.validate(cookie)
  for (const cookie of inMemory!) await a.sessions.validate(cookie)
  const both = await Promise.all(withSecond!.map((cookie) => withSecondCookie(b, cookie)))
  const cookies = [...inMemory!, ...inRedis!, ...both]
  const tiers: Record<string, number> = {}
  for (let lapse = 0; lapse < 3; lapse += 1) {
    const { lapses } = a.bus.link.lease
    blockEventLoop(LAPSE_MS)
    const checks = Array.from({ length: 10 }, () => cookies).flat()
    const results = await Promise.all(checks.map((cookie) => a.sessions.validate(cookie)))
    for (const result of results) {
      const tier = result.outcome === 'valid' ? result.tier : result.outcome
      tiers[tier] = (tiers[tier] ?? 0) + 1
    }
    expect(a.bus.link.lease.lapses).toBe(lapses + 1)
  }
  expect(Object.values(tiers).reduce((sum, count) => sum + count, 0)).toBe(900)
  expect(Object.keys(tiers).toSorted()).toEqual(['cookie', 'memo', 'redis'])
})

test('S10: a process that was stopped for longer than its lease refuses a session that ended meanwhile, without a query for the other', async ({
  stores,
  join,
  replicas,
}) => {
  const [paused] = await replicas(1, { program })
  const other = await join(stores, 'b', noTurns)
  const options = { stores, paused: paused!, source: OURS, other }
  for (let round = 0; round < 2; round += 1) {
    const { outcomes, queries } = await revokeDuringPause(options)
    expect(outcomes).toEqual(['revoked', 'revoked', 'valid', 'revoked'])
    // Only the session that ended is read from PostgreSQL.
    expect(queries).toBeLessThanOrEqual(3)
  }
})

test('S4: a process that was stopped for longer than its lease refuses a session whose end no instance has sent, and the mutant with an old look is detected', async ({
  stores,
  join,
  replicas,
}) => {
  const [paused] = await replicas(1, { program })
  const other = await join(stores, 'b', noTurns)
  const run = (source: string) => endDuringPause({ stores, paused: paused!, other, source })
  const { outcomes } = await run(OURS)
  expect(outcomes).toEqual(['revoked', 'revoked', 'valid', 'revoked'])
  const mutant = await withMutant('an old look', run)
  expect(mutant.outcomes).toEqual(['valid', 'valid', 'valid', 'valid'])
})

test('S4: a process that was stopped reads PostgreSQL while Redis answers with errors, and refuses a session that ended', async ({
  stores,
  ownValkey,
  join,
  replicas,
}) => {
  const [paused] = await replicas(1, { program })
  const refusing = { ...stores, redisUrl: ownValkey.url }
  const other = await join(refusing, 'b', noTurns)
  const options = { stores: refusing, paused: paused!, source: OURS, other }
  const { revoked, outcomes, queries } = await revokeDuringRefusals(options)
  expect(revoked).toBe('pending')
  expect(outcomes).toEqual(['revoked', 'revoked', 'valid', 'revoked'])
  expect(queries).toBeGreaterThan(0)
})

test('S10: in three processes without CPU time left, at most 5 % of the checks of cached sessions query PostgreSQL', async ({
  stores,
  replicas,
}) => {
  const three = await replicas(3, { program })
  await Promise.all(
    three.map((replica, i) =>
      replica.call('open', { source: OURS, instance: `session-${i}`, ...stores }),
    ),
  )
  const [first] = three
  const userId = await first!.call<string>('makeUser')
  const cookies = await first!.call<string[]>('signInMany', { userId, n: 20 })
  await Promise.all(three.map((replica) => replica.call('validate', cookies)))
  await Promise.all(
    three.map((replica) => replica.call('saturate', { cookies, connections: 100, turnMs: 350 })),
  )
  const startedMs = performance.now()
  await until(() => performance.now() - startedMs > 6_000)
  const halted = await Promise.all(three.map((replica) => replica.call<Hammered>('halt')))
  const lapses = await Promise.all(three.map((replica) => replica.call<number>('lapses')))
  const checks = halted.reduce((sum, result) => sum + result.checks, 0)
  const queries = halted.reduce((sum, { outcomes }) => sum + (outcomes['database'] ?? 0), 0)
  const outcomes = halted.map((result) => result.outcomes)
  process.stdout.write(
    `without CPU time: ${JSON.stringify({ checks, queries, lapses, outcomes })}\n`,
  )
  expect(queries / checks).toBeLessThanOrEqual(0.05)
  await Promise.all(three.map((replica) => replica.call('close')))
}, 60_000)
