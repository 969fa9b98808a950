import { blockEventLoop, expect, until } from '@repo/testing'
import { test } from './join.fixture.ts'
import { makeUser, signIn, withCookie } from './open.fixture.ts'

const PAUSES = 5

/** Resolves after the calls of this turn were sent. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

test(`${PAUSES} pauses of a process for 500 ms refuse none of its checks in flight, and cause no additional use of a store`, async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const userId = await makeUser(a.database)
  const hot = await signIn(a.database, userId)
  await b.sessions.validate(hot.cookie)
  let checks = 0
  for (let round = 0; round < PAUSES; round += 1) {
    const stored = await Promise.all(Array.from({ length: 10 }, () => signIn(a.database, userId)))
    for (const { cookie } of stored) await b.sessions.validate(cookie)
    // More than the limit of queries at a time, so that some checks wait for their turn.
    const cold = await Promise.all(Array.from({ length: 60 }, () => signIn(a.database, userId)))
    const inFlight = [...stored, ...cold].map(({ cookie }) => a.sessions.validate(cookie))
    await turn()
    blockEventLoop(500)
    const outcomes = (await Promise.all(inFlight)).map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => outcome !== 'valid')).toEqual([])
    const after = await a.sessions.validate(hot.cookie)
    expect(after).toMatchObject({ outcome: 'valid' })
    // Without the trust in its cache, the instance would query PostgreSQL each time.
    const again = await a.sessions.validate(hot.cookie)
    expect(again).toMatchObject({ outcome: 'valid', tier: 'memo' })
    expect(await a.sessions.settle({ confirm: 'all' })).toMatchObject({ outcome: 'confirmed' })
    checks += inFlight.length + 2
  }
  const { validationCache } = await a.sessions.observability({ scope: 'instance' })
  expect(validationCache.revocations.pending).toBe(0)
  expect(a.sessions.cache?.stats()).toMatchObject({ outages: 0 })
  expect(checks).toBe(PAUSES * 72)
})

test('a process that was paused for longer than its trust accepts no session that ended, in memory or in a second cookie', async ({
  stores,
  join,
  replicas,
}) => {
  const program = new URL('instance.fixture.ts', import.meta.url)
  const [paused] = await replicas(1, { program })
  const source = new URL('index.ts', import.meta.url).pathname
  await paused!.call('open', { source, instance: 'paused', ...stores })
  const b = await join(stores, 'b')
  const userId = await makeUser(b.database)
  const { cookie } = await signIn(b.database, userId)
  const second = await paused!.call<string>('secondCookie', cookie)
  const both = withCookie(cookie, second)
  await paused!.call('validate', [cookie, both])

  paused!.stop()
  const revoked = await b.sessions.revoke({ userId }, { confirm: 'all' })
  expect(revoked).toMatchObject({ outcome: 'confirmed', lapsed: 1 })
  // The process receives the call while it is stopped, and serves it in its first turn.
  const late = paused!.call<string[]>('validate', [cookie, both, cookie])
  paused!.continue()
  expect(await late).toEqual(['revoked', 'revoked', 'revoked'])
  await until(async () => (await paused!.call<string[]>('validate', [both]))[0] === 'revoked')
  await paused!.call('close')
})
