import { describe, expect, test } from '@repo/testing'
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
    ...{ failures: 3, coolDownMs: 1_000, roundMs: ROUND_MS },
    now: () => nowMs,
  })
  let tried = 0
  function pass(ms: number) {
    nowMs += ms
  }

  function succeed() {
    return run(breaker, async () => (tried += 1))
  }

  /** A failure of a round of its own. */
  async function fail(code: RedisErrorCode = 'timeout') {
    pass(ROUND_MS)
    const failing = run(breaker, async () => {
      tried += 1
      throw new RedisError(code, 'as told')
    })
    await expect(failing).rejects.toThrow(RedisError)
  }

  /** A call that ends when the test says so. */
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

describe('a breaker', () => {
  test('stays closed while the server answers, whatever the answer is', async () => {
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

  test('opens after three consecutive failures, and not before', async () => {
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

  test('while open tries nothing and fails at once', async () => {
    const { breaker, fail, succeed, tried } = fixture()
    for (let i = 0; i < 3; i += 1) await fail()
    await expect(succeed()).rejects.toMatchObject({ code: 'unavailable' })
    expect([breaker.state, tried()]).toEqual(['open', 3])
  })

  test('is half-open when it has cooled down, no millisecond sooner', async () => {
    const { breaker, fail, pass } = fixture()
    for (let i = 0; i < 3; i += 1) await fail()
    pass(999)
    expect(breaker.state).toBe('open')
    pass(1)
    expect(breaker.state).toBe('half-open')
  })

  test('half-open lets exactly one of 100 concurrent callers through, and closes on its success', async () => {
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

  test('opens for another cool-down when its probe fails', async () => {
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

  test('is not opened by errors that the server answered: they show that it is there', async () => {
    const { breaker, fail } = fixture()
    await fail()
    await fail()
    await fail('rejected')
    await fail()
    await fail()
    for (let i = 0; i < 10; i += 1) await fail('rejected')
    expect(breaker.state).toBe('closed')
  })

  test('counts all failures of one round as one, and a success in between ends the round', async () => {
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

  test("takes the caller's own errors for no sign of the server, good or bad", async () => {
    const { breaker, fail } = fixture()
    const own = () => run(breaker, () => Promise.reject(new TypeError('a bug')))
    for (let i = 0; i < 10; i += 1) await expect(own()).rejects.toThrow('a bug')
    expect(breaker.state).toBe('closed')
    await fail()
    await fail()
    await expect(own()).rejects.toThrow('a bug')
    await fail()
    expect(breaker.state).toBe('open')
  })

  // A call from before the outage used to end the probe's turn: a second probe went out beside it.
  test('keeps to one probe when a call from before the outage ends meanwhile', async () => {
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
})
