import { expect, test } from '@repo/testing'
import { ReplyError } from 'ioredis'
import { RedisError, type RedisErrorCode, toRedisError } from '../errors.ts'
import { type Breaker, createBreaker } from './breaker.ts'

const ROUND_MS = 25

/** Runs a call as a connection does. */
async function run<T>(breaker: Breaker, call: () => Promise<T>): Promise<T> {
  const admission = breaker.admit()
  if (admission === 'refused') throw new RedisError('unavailable', 'refused')
  try {
    const value = await call()
    breaker.succeed(admission)
    return value
  } catch (error) {
    breaker.fail(admission, error)
    throw error
  }
}

function fixture() {
  let nowMs = 0
  const breaker = createBreaker({
    failures: 3,
    coolDownMs: 1_000,
    roundMs: ROUND_MS,
    now: () => nowMs,
  })
  let tried = 0
  function pass(ms: number) {
    nowMs += ms
  }

  function succeed() {
    return run(breaker, async () => (tried += 1))
  }

  /** A failure in a new round. */
  async function fail(code: RedisErrorCode = 'timeout') {
    pass(ROUND_MS)
    const failing = run(breaker, async () => {
      tried += 1
      throw new RedisError(code, 'as told')
    })
    await expect(failing).rejects.toThrow(RedisError)
  }

  /** A call that the test ends. */
  function begin() {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const call = run(breaker, () => {
      tried += 1
      return promise
    })
    call.catch(() => undefined)
    return { call, resolve, reject }
  }

  return { breaker, tried: () => tried, pass, succeed, fail, begin }
}

test('a breaker stays closed while the server replies, also with errors', async () => {
  const { breaker, fail } = fixture()
  for (let i = 0; i < 2; i += 1) await fail()
  for (let i = 0; i < 5; i += 1) await fail('rejected')
  for (let i = 0; i < 2; i += 1) await fail()
  await fail('defect')
  for (const message of Array.from({ length: 5 }, () => 'READONLY no writes here')) {
    const answer = toRedisError(new ReplyError(message))
    await expect(run(breaker, () => Promise.reject(answer))).rejects.toBe(answer)
  }
  expect(breaker.state).toBe('closed')
})

test('a breaker opens after three consecutive failures, and not before', async () => {
  const { breaker, fail, succeed } = fixture()
  await fail()
  await fail('unavailable')
  await succeed()
  await fail()
  await fail()
  expect(breaker.state).toBe('closed')
  await fail()
  expect(breaker.state).toBe('open')
})

test('an open breaker sends no call and fails at once', async () => {
  const { breaker, fail, succeed, tried } = fixture()
  for (let i = 0; i < 3; i += 1) await fail()
  await expect(succeed()).rejects.toMatchObject({ code: 'unavailable' })
  expect([breaker.state, tried()]).toEqual(['open', 3])
})

test('a breaker is half-open after its cool-down, and not before', async () => {
  const { breaker, fail, pass } = fixture()
  for (let i = 0; i < 3; i += 1) await fail()
  pass(999)
  expect(breaker.state).toBe('open')
  pass(1)
  expect(breaker.state).toBe('half-open')
})

test('a half-open breaker admits exactly one of 100 concurrent calls, and closes on its success', async () => {
  const { breaker, fail, pass, begin, tried } = fixture()
  for (let i = 0; i < 3; i += 1) await fail()
  pass(1_000)
  const callers = Array.from({ length: 100 }, begin)
  expect(tried()).toBe(4)
  callers[0]!.resolve('answer')
  const ends = await Promise.allSettled(callers.map(({ call }) => call))
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(breaker.state).toBe('closed')
})

test('a breaker opens for another cool-down when its probe fails', async () => {
  const { breaker, fail, pass, succeed } = fixture()
  for (let i = 0; i < 3; i += 1) await fail()
  pass(1_000)
  await fail()
  pass(999)
  expect(breaker.state).toBe('open')
  pass(1)
  await succeed()
  expect(breaker.state).toBe('closed')
})

test('error replies of the server do not open a breaker', async () => {
  const { breaker, fail } = fixture()
  await fail()
  await fail()
  await fail('rejected')
  await fail()
  await fail()
  for (let i = 0; i < 10; i += 1) await fail('rejected')
  expect(breaker.state).toBe('closed')
})

test('all failures of one round count as one, and a success ends the round', async () => {
  const { breaker, begin, fail, pass, succeed } = fixture()
  async function failTogether(count: number) {
    const calls = Array.from({ length: count }, begin)
    for (const { reject } of calls) reject(new RedisError('timeout', 'late'))
    await Promise.allSettled(calls.map(({ call }) => call))
  }
  await failTogether(100)
  pass(ROUND_MS - 1)
  await failTogether(100)
  pass(1)
  await failTogether(100)
  expect(breaker.state).toBe('closed')
  await succeed()
  await failTogether(100)
  await fail()
  expect(breaker.state).toBe('closed')
  await fail()
  expect(breaker.state).toBe('open')
})

test('errors of the caller do not affect the breaker', async () => {
  const { breaker, fail } = fixture()
  const failOfCaller = () => run(breaker, () => Promise.reject(new TypeError('a bug')))
  for (let i = 0; i < 10; i += 1) await expect(failOfCaller()).rejects.toThrow('a bug')
  expect(breaker.state).toBe('closed')
  await fail()
  await fail()
  await expect(failOfCaller()).rejects.toThrow('a bug')
  await fail()
  expect(breaker.state).toBe('open')
})

// A call from before the outage used to end the probe's turn: a second probe went out beside it.
test('a breaker has one probe although a call from before the outage ends during it', async () => {
  const { breaker, fail, pass, begin, tried } = fixture()
  const old = begin()
  for (let i = 0; i < 3; i += 1) await fail()
  pass(1_000)
  const probe = begin()
  old.reject(new TypeError('a bug'))
  await expect(old.call).rejects.toThrow('a bug')
  await expect(begin().call).rejects.toMatchObject({ code: 'unavailable' })
  expect([breaker.state, tried()]).toEqual(['open', 5])
  probe.resolve('answer')
  await probe.call
  expect(breaker.state).toBe('closed')
})
