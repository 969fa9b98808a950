import { expect, test } from 'vitest'
import { betterOfTwo } from './choose-target.ts'
import { Latency } from './latency.ts'

const FAST_MS = 4
const SLOW_MS = 204

/** Random numbers that are the same in each run (the generator of Park and Miller). */
function createRandom(): () => number {
  let state = 42
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/**
 * Three targets and a client that sends its next request after a response and a pause.
 * @param holdsMean whether the mean is held for a number of requests; false is the mutant
 */
function startClient({ pauseMs = 0, holdsMean = true } = {}) {
  let [turn, nowMs] = [0, 0]
  const random = createRandom()
  const targets = Array.from({ length: 3 }, () => ({
    inFlight: 0,
    isFull: false,
    latency: new Latency(() => (holdsMean ? turn : Infinity)),
    weightAt: () => 1,
    responseMs: FAST_MS,
  }))
  const [slow] = targets
  let areErrors = false

  function send(): boolean {
    turn += 1
    const chosen = betterOfTwo(targets, turn, nowMs, random())
    if (!chosen) throw new Error('no target')
    nowMs += chosen.responseMs
    chosen.latency.record(chosen.responseMs, areErrors && chosen === slow, nowMs)
    nowMs += pauseMs
    return chosen === slow
  }

  return {
    /** Changes the latency of the first target. */
    respondAfter(ms: number) {
      if (slow) slow.responseMs = ms
    },
    /** Returns the share of the first target in the next requests. */
    shareOfNext(requests: number): number {
      return Array.from({ length: requests }, send).filter(Boolean).length / requests
    },
    /** Sends requests until the first target has responded once, with an error after these ms. */
    failOnceAfter(ms: number) {
      if (slow) slow.responseMs = ms
      areErrors = true
      while (!send());
      areErrors = false
      if (slow) slow.responseMs = FAST_MS
    },
    /** Ends requests that were at the first target together while it paused. */
    endTogether(requests: number, ms: number) {
      for (let i = 0; i < requests; i += 1) slow?.latency.record(ms, false, nowMs)
    },
    /** Sends requests until the first target gets its share, and returns the time and their number. */
    untilShared() {
      const startMs = nowMs
      for (let requests = 30; requests < 10_000; requests += 30) {
        if (this.shareOfNext(30) >= 0.3) return { ms: nowMs - startMs, requests }
      }
      throw new Error('the first target gets no share')
    },
  }
}

const pauses = [0, 1, 16, 96, 996] as const

test.for(pauses)(
  'a target that is 200 ms slower serves at most 9 of 1,000 sequential requests with pauses of %i ms between them',
  (pauseMs) => {
    const client = startClient({ pauseMs })
    expect(client.shareOfNext(900)).toBeCloseTo(1 / 3)
    client.respondAfter(SLOW_MS)
    const shares = Array.from({ length: 50 }, () => client.shareOfNext(400))
    expect(Math.max(...shares)).toBeLessThanOrEqual(0.009)
    expect(Math.max(...shares)).toBeGreaterThan(0)
  },
)

test('a mutant whose mean decays without requests sends more than 9 of 1,000 rare requests to a slow target', () => {
  const client = startClient({ pauseMs: 96, holdsMean: false })
  client.shareOfNext(900)
  client.respondAfter(SLOW_MS)
  const shares = Array.from({ length: 50 }, () => client.shareOfNext(400))
  expect(Math.max(...shares)).toBeGreaterThan(0.009)
})

const slowTimes = [SLOW_MS, 404, 1_004, 2_004, 5_004]

test.for(pauses.flatMap((pauseMs) => slowTimes.map((slowMs) => ({ pauseMs, slowMs }))))(
  'a target that is fast again after $slowMs ms gets its share within 8 s or 500 requests, with pauses of $pauseMs ms',
  ({ pauseMs, slowMs }) => {
    const client = startClient({ pauseMs })
    client.shareOfNext(900)
    for (let slowRequests = 2_000; slowRequests < 2_400; slowRequests += 50) {
      client.respondAfter(slowMs)
      client.shareOfNext(slowRequests)
      client.respondAfter(FAST_MS)
      const { ms, requests } = client.untilShared()
      expect(ms < 8_000 || requests <= 500).toBe(true)
    }
  },
)

test.for(pauses)(
  'a target that failed one request after 5 s gets its share within 8 s or 100 requests, with pauses of %i ms',
  (pauseMs) => {
    const client = startClient({ pauseMs })
    client.shareOfNext(900)
    client.failOnceAfter(5_000)
    const { ms, requests } = client.untilShared()
    expect(ms < 8_000 || requests <= 100).toBe(true)
  },
)

test.for(pauses)(
  'a target that ends 20 requests together after 2 s gets its share within 16 s or 500 requests, with pauses of %i ms',
  (pauseMs) => {
    const client = startClient({ pauseMs })
    client.shareOfNext(900)
    client.endTogether(20, 2_000)
    const { ms, requests } = client.untilShared()
    expect(ms < 16_000 || requests <= 500).toBe(true)
  },
)
