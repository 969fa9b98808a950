import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { expect, test, vi } from 'vitest'
import { callKeyed, type Habit, HABITS, type KeyedCall } from './keyed-call.ts'
import { startKeyedLoop } from './keyed-loop.ts'
import { sendKeyed } from './send-keyed.ts'
import { judgeKeyed } from './verdict.ts'

/** A service on loopback, and the calls of clients of every habit to it. */
async function callAll(
  listener: RequestListener,
  { habits = HABITS, giveUpMs = 60_000, perHabit = 5 } = {},
): Promise<KeyedCall[]> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the service has no port')
  const url = `http://127.0.0.1:${address.port}/`
  const call = (habit: Habit) => {
    const key = randomUUID()
    const send = (signal?: AbortSignal) => sendKeyed({ url, key, headers: {}, body: '{}' }, signal)
    return callKeyed({ key, habit, send, giveUpMs, maxPauseMs: 5, cutWithinMs: 10 })
  }
  try {
    const all = habits.flatMap((habit) => Array.from({ length: perHabit }, () => habit))
    return await Promise.all(all.map(call))
  } finally {
    server.close().closeAllConnections()
  }
}

/** A service that runs each key once, and replays its response. */
function onceEach() {
  const bodies = new Map<string, string>()
  const listener: RequestListener = (req, res) => {
    const key = String(req.headers['idempotency-key'])
    const stored = bodies.get(key)
    const body = stored ?? `payment ${bodies.size}`
    bodies.set(key, body)
    res.writeHead(201, stored === undefined ? {} : { 'Idempotency-Replayed': 'true' }).end(body)
  }
  return { bodies, listener }
}

test('clients of every habit receive the same bytes from a service that runs each key once', async () => {
  const { bodies, listener } = onceEach()
  const calls = await callAll(listener)
  expect(judgeKeyed(calls)).toMatchObject({
    keys: 20,
    differing: [],
    unanswered: [],
    refused: [],
    failed: 0,
  })
  expect(bodies.size).toBe(20)
  // Five clients each cut, repeat or share; only a cut before the service has the request is no replay.
  expect(judgeKeyed(calls).repeated).toBe(15)
  expect(judgeKeyed(calls).replays).toBeGreaterThanOrEqual(10)
})

test('a service that ignores the key is detected by different bytes', async () => {
  let count = 0
  const calls = await callAll((_, res) => res.writeHead(201).end(`payment ${(count += 1)}`))
  const { differing, replays } = judgeKeyed(calls)
  // A client with one attempt cannot see it.
  expect(differing.length).toBeGreaterThanOrEqual(10)
  expect(replays).toBe(0)
})

test('a replay with another status is detected, although its body is the same', async () => {
  const seen = new Set<string>()
  const calls = await callAll(
    (req, res) => {
      const key = String(req.headers['idempotency-key'])
      res.writeHead(seen.has(key) ? 200 : 201).end('paid')
      seen.add(key)
    },
    { habits: ['again'] },
  )
  const { differing, refused } = judgeKeyed(calls)
  expect([differing.length, refused.length]).toEqual([5, 5])
})

test('a client sends a request again after a lost response, 409, 429 and 503, and each failure is counted', async () => {
  const { listener } = onceEach()
  const answers = [0, 409, 429, 503]
  const seen = new Map<string, number>()
  const calls = await callAll(
    (req, res) => {
      const key = String(req.headers['idempotency-key'])
      const attempt = seen.get(key) ?? 0
      seen.set(key, attempt + 1)
      const status = answers[attempt]
      if (status === 0) return void req.socket.destroy()
      if (status) return void res.writeHead(status, { 'Retry-After': '60' }).end('later')
      return listener(req, res)
    },
    { habits: ['once'] },
  )
  expect(judgeKeyed(calls)).toMatchObject({
    differing: [],
    unanswered: [],
    refused: [],
    repeated: 20,
    conflicts: 5,
    failed: 10,
  })
})

test('a client that receives no final response gives up, and is counted', async () => {
  const calls = await callAll((_, res) => res.writeHead(503).end(), {
    habits: ['once'],
    giveUpMs: 20,
    perHabit: 3,
  })
  const { unanswered, keys, longestMs } = judgeKeyed(calls)
  expect([unanswered.length, keys]).toEqual([3, 3])
  expect(longestMs).toBeGreaterThanOrEqual(20)
})

test('callers with every habit each make one call after the other until they are stopped', async () => {
  let inFlight = 0
  let most = 0
  const loop = startKeyedLoop(3, (n) => ({
    key: `key ${n}`,
    async send() {
      inFlight += 1
      most = Math.max(most, inFlight)
      await new Promise(setImmediate)
      inFlight -= 1
      return { status: 201, body: String(n) }
    },
  }))
  await vi.waitFor(() => expect(loop.calls.length).toBeGreaterThan(20))
  const calls = await loop.stop()
  expect(inFlight).toBe(0)
  expect(judgeKeyed(calls)).toMatchObject({ keys: calls.length, differing: [], unanswered: [] })
  expect(new Set(calls.map(({ key }) => key)).size).toBe(calls.length)
  // Two of the callers can be those of two clients at the same time.
  expect(most).toBeGreaterThanOrEqual(3)
  expect(most).toBeLessThanOrEqual(6)
})
