import { expect } from '@repo/testing'
import { type Cluster, test } from './cluster.fixture.ts'
import { makeUser, withCookie } from './open.fixture.ts'
import {
  banDuringSignIns,
  hammerThrough,
  revokeAll,
  showLate,
  type Verdict,
} from './races.fixture.ts'
import { makeNextRelease, replaceRelease } from './releases.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 2)

/** A cluster in which one of three processes runs a release that changed each format once. */
const mixed = test.extend('openMixed', async ({ openCluster, databaseUrl }, { onCleanup }) => {
  const next = await makeNextRelease()
  onCleanup(() => next.remove())
  return async (index: number): Promise<Cluster> => {
    const cluster = await openCluster()
    await replaceRelease(cluster, databaseUrl, { index, source: next.source })
    return cluster
  }
})

const RACES: [name: string, race: (cluster: Cluster) => Promise<Verdict>][] = [
  ['no process accepts one of 50 sessions after "sign out everywhere"', revokeAll],
  ['no process admits a banned user, and no session remains after the ban', banDuringSignIns],
  ['no process accepts a revoked session under load', (cluster) => hammerThrough(cluster, 'all')],
  ['no process accepts the second cookie of a revoked session', showLate],
]

// The first process signs in, the second revokes in some races and the third in others.
const cases = [0, 1, 2].flatMap((index) => RACES.map(([name, race]) => ({ index, name, race })))

mixed.for(cases)(
  'with a process $index of the next release, $name',
  async ({ index, race }, { openMixed }) => {
    const cluster = await openMixed(index)
    const sum = { attempts: 0, violations: 0 }
    for (let round = 0; round < ROUNDS; round += 1) {
      const { attempts, violations } = await race(cluster)
      sum.attempts += attempts
      sum.violations += violations
    }
    process.stdout.write(`next release is ${index}: ${JSON.stringify(sum)}\n`)
    expect(sum.attempts).toBeGreaterThan(0)
    expect(sum.violations).toBe(0)
  },
)

mixed(
  'processes of two releases read the records of each other from Redis, without a query',
  async ({ openMixed }) => {
    const { three, database } = await openMixed(1)
    const [present, next, other] = three
    const userId = await makeUser(database)
    const tiersOf = (index: number) =>
      three[index]!.call<{ redis: number; database: number }>('figures')
    const fromPresent = await present!.call<string>('signIn', userId)
    const fromNext = await next!.call<string>('signIn', userId)
    await present!.call('validate', [fromPresent])
    await next!.call('validate', [fromNext])
    const crossed = [
      await next!.call<string[]>('validate', [fromPresent]),
      await present!.call<string[]>('validate', [fromNext]),
      await other!.call<string[]>('validate', [fromPresent, fromNext]),
    ]
    expect(crossed.flat()).toEqual(['valid', 'valid', 'valid', 'valid'])
    expect(await tiersOf(0)).toMatchObject({ redis: 1, database: 1 })
    expect(await tiersOf(1)).toMatchObject({ redis: 1, database: 1 })
    expect(await tiersOf(2)).toMatchObject({ redis: 2, database: 0 })
  },
)

mixed(
  'a second cookie of the other release costs a read and never the session',
  async ({ openMixed }) => {
    const { three, database } = await openMixed(1)
    const userId = await makeUser(database)
    for (const [from, to] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const cookie = await three[from]!.call<string>('signIn', userId)
      const both = withCookie(cookie, await three[from]!.call<string>('secondCookie', cookie))
      expect(await three[to]!.call('validate', [both])).toEqual(['valid'])
      expect(await three[to]!.call('figures')).toMatchObject({ cookie: 0, redis: 1 })
    }
  },
)
