import { expect } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import { createAdmission } from './admission.ts'

/** An admission with a clock that the test moves. */
function startBreaker() {
  const state = { nowMs: 1_000_000 }
  const options = { minimumRequests: 10, openMs: 5_000 }
  const admission = createAdmission(Infinity, options, () => state.nowMs)
  return {
    admission,
    state,
    record: (count: number, isError: boolean) => {
      for (let i = 0; i < count; i += 1) admission.record(isError, state.nowMs)
    },
  }
}

test('a breaker opens when half of the results are errors, and states when to try again', () => {
  const { admission, record, state } = startBreaker()
  record(6, false)
  record(5, true)
  expect(admission.check(0)).toBeUndefined()
  record(1, true)
  expect(admission.check(0)).toEqual({ code: 'circuit_open', retryAfterS: 5 })
  state.nowMs += 3_500
  expect(admission.check(0)).toEqual({ code: 'circuit_open', retryAfterS: 2 })
})

test('after its time a breaker lets one request pass: a good result closes it, and an error opens it again', () => {
  const { admission, record, state } = startBreaker()
  record(10, true)
  state.nowMs += 5_000
  expect(admission.check(0)).toBeUndefined()
  expect(admission.check(0)?.code).toBe('circuit_open')
  record(1, true)
  state.nowMs += 4_999
  expect(admission.check(0)?.code).toBe('circuit_open')
  state.nowMs += 1
  expect(admission.check(0)).toBeUndefined()
  record(1, false)
  expect(admission.check(0)).toBeUndefined()
  record(9, true)
  expect(admission.check(0)).toBeUndefined()
})

test('errors that left the window do not open a breaker', () => {
  const { admission, record, state } = startBreaker()
  record(9, true)
  state.nowMs += 10_000
  record(1, true)
  expect(admission.check(0)).toBeUndefined()
})

test('an upstream with too many requests in flight refuses the next ones with 503 and Retry-After', async ({
  servers,
}) => {
  const held: (() => void)[] = []
  const origin = await servers.serve((_req, res) => held.push(() => res.end('served')))
  const upstream = servers.upstreamOf([origin], { maxInFlight: 2 })
  const proxy = await servers.proxyOf(upstream)
  const served = [ask(proxy), ask(proxy)]
  await until(() => held.length === 2)
  const refused = await ask(proxy)
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  expect(JSON.parse(refused.body)).toMatchObject({ code: 'upstream_overloaded' })
  for (const open of held) open()
  expect((await Promise.all(served)).map(({ body }) => body)).toEqual(['served', 'served'])
  const again = ask(proxy)
  await until(() => held.length === 3)
  held[2]?.()
  expect((await again).status).toBe(200)
})

test('an upstream whose requests fail is a 503 with the code circuit_open, without a request', async ({
  servers,
}) => {
  let requests = 0
  const origin = await servers.serve((_req, res) => {
    requests += 1
    res.writeHead(500).end()
  })
  const upstream = servers.upstreamOf([origin], { breaker: { minimumRequests: 10 } })
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 10; i += 1) expect((await ask(proxy)).status).toBe(500)
  const refused = await ask(proxy)
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  expect(JSON.parse(refused.body)).toMatchObject({ code: 'circuit_open' })
  expect(requests).toBe(10)
})
