import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  callKeyed,
  HABITS,
  judgeKeyed,
  type KeyedCall,
  type KeyedVerdict,
} from '@repo/testing/keyed'
import { type Answer, createClient } from './load-client.ts'

interface Failure {
  atMs: number
  kind: string
  /** The status, or the reason without a response. */
  reason: string
}

export interface LoadReport {
  run: string
  sent: number
  failed: Failure[]
  /** References of payments that received 201. */
  paid: string[]
  /** The keys and their responses; undefined without keys. */
  keyed: KeyedVerdict | undefined
  /** The number of responses to which each instance contributed. */
  servedBy: Map<string, number>
  latencyMs: { p50: number; p95: number; p99: number; max: number }
}

export interface Load {
  /** The requests that were sent and that failed until now. */
  progress(): { sent: number; failed: number }
  /** Stops sending, and waits for requests in flight. */
  stop(): Promise<LoadReport>
}

type Kind = 'me' | 'session' | 'pay' | 'payments' | 'page'

const WARM_UP = 30

/** Twenty requests: the caller, the session from auth, a payment, the list of payments, a page. */
const MIX: Kind[] = [
  ...Array.from({ length: 7 }, () => 'me' as const),
  ...Array.from({ length: 3 }, () => 'session' as const),
  ...Array.from({ length: 5 }, () => 'pay' as const),
  ...Array.from({ length: 3 }, () => 'payments' as const),
  ...Array.from({ length: 2 }, () => 'page' as const),
]

/**
 * Sends mixed requests at a fixed rate, independent of the responses: an open loop, as with real users.
 * Each payment has a unique reference, so PostgreSQL shows a payment that was made twice. Its clients send it
 * again with the same key until they have a response, and three of four payments are sent twice in any case.
 */
export async function startLoad({
  edge,
  ratePerSecond,
  keyed = true,
}: {
  edge: string
  ratePerSecond: number
  /** Whether payments have an Idempotency-Key. Without it, no client sends a payment again. */
  keyed?: boolean
}): Promise<Load> {
  const run = randomUUID().slice(0, 8)
  const client = createClient(edge)
  const cookies = await Promise.all([1, 2, 3, 4, 5].map((n) => client.signUp(`load-${run}-${n}`)))
  // The first use of connections and code belongs to the start of an instance, not to the change.
  for (let n = 0; n < WARM_UP; n += 1) await client.get('/api/payments', cookies[n % 5] ?? '')
  const began = performance.now()
  const pending = new Set<Promise<void>>()
  const failed: Failure[] = []
  const paid: string[] = []
  const calls: KeyedCall[] = []
  const latencies: number[] = []
  const servedBy = new Map<string, number>()
  let sent = 0
  const stopping = new AbortController()

  async function send(n: number) {
    const kind = MIX[(n * 7) % MIX.length] ?? 'me'
    const cookie = cookies[n % cookies.length] ?? ''
    const reference = `load-${run}-${n}`
    const startMs = performance.now()
    const fail = (reason: string) =>
      failed.push({ atMs: Math.round(startMs - began), kind, reason })
    if (kind === 'pay' && keyed) return pay(n, cookie, reference, fail)
    const answer = await timed(() => request(kind, cookie, reference))
    const expected = kind === 'pay' ? 201 : 200
    if (answer.status !== expected) {
      fail(answer.error ?? `${answer.status} ${answer.body.slice(0, 120)}`)
    } else if (kind === 'pay') paid.push(reference)
  }

  /** Makes a payment as clients of one key do. Each attempt that fails counts, also if the next one succeeds. */
  async function pay(n: number, cookie: string, reference: string, fail: (reason: string) => void) {
    const key = randomUUID()
    const call = await callKeyed({
      key,
      habit: HABITS[n % HABITS.length] ?? 'once',
      send: (signal) =>
        signal
          ? client.pay(cookie, reference, key, signal)
          : timed(() => client.pay(cookie, reference, key)),
    })
    calls.push(call)
    for (const reason of call.failures) fail(reason)
    for (const { status, body } of call.responses) {
      if (status !== 201) fail(`${status} ${body.slice(0, 120)}`)
    }
    if (call.responses.some(({ status }) => status === 201)) paid.push(reference)
  }

  async function timed(call: () => Promise<Answer>): Promise<Answer> {
    const startMs = performance.now()
    const answer = await call()
    latencies.push(performance.now() - startMs)
    for (const id of answer.servedBy) servedBy.set(id, (servedBy.get(id) ?? 0) + 1)
    return answer
  }

  function request(kind: Kind, cookie: string, reference: string): Promise<Answer> {
    if (kind === 'me') return client.get('/api/me', cookie)
    if (kind === 'session') return client.get('/api/auth/get-session', cookie)
    if (kind === 'payments') return client.get('/api/payments', cookie)
    if (kind === 'page') return client.get('/sign-in', '')
    return client.pay(cookie, reference)
  }

  async function pump() {
    while (!stopping.signal.aborted) {
      const due = Math.floor(((performance.now() - began) / 1_000) * ratePerSecond)
      while (sent < due) {
        const one = send(sent).finally(() => pending.delete(one))
        pending.add(one)
        sent += 1
      }
      await wait(5)
    }
  }
  const pumping = pump()

  return {
    progress: () => ({ sent, failed: failed.length }),
    async stop() {
      stopping.abort()
      await pumping
      await Promise.all(pending)
      client.close()
      latencies.sort((a, b) => a - b)
      const at = (share: number) => Math.round(latencies[Math.floor(latencies.length * share)] ?? 0)
      const latencyMs = { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(0.999_99) }
      const judged = keyed ? judgeKeyed(calls) : undefined
      return { run, sent, failed, paid, keyed: judged, servedBy, latencyMs }
    },
  }
}
