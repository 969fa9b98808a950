import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type Answer, createClient } from './load-client.ts'

interface Failure {
  atMs: number
  kind: string
  /** The status, or why there was none. */
  reason: string
}

export interface LoadReport {
  run: string
  sent: number
  failed: Failure[]
  /** References of payments that were answered 201. */
  paid: string[]
  /** How many answers each instance took part in. */
  servedBy: Map<string, number>
  latencyMs: { p50: number; p95: number; p99: number; max: number }
}

export interface Load {
  /** What was sent and what failed so far. */
  progress(): { sent: number; failed: number }
  /** Sends no more, waits for what is in flight. */
  stop(): Promise<LoadReport>
}

type Kind = 'me' | 'session' | 'pay' | 'payments' | 'page'

const WARM_UP = 30

/** Twenty requests: who am I, the session from auth, a payment, the list of them, a page. */
const MIX: Kind[] = [
  ...Array.from({ length: 7 }, () => 'me' as const),
  ...Array.from({ length: 3 }, () => 'session' as const),
  ...Array.from({ length: 5 }, () => 'pay' as const),
  ...Array.from({ length: 3 }, () => 'payments' as const),
  ...Array.from({ length: 2 }, () => 'page' as const),
]

/**
 * Sends mixed traffic at a fixed rate, whatever the answers take: an open loop, as people are. Each
 * payment has a reference of its own, so that one made twice can be counted in PostgreSQL.
 */
export async function startLoad({
  edge,
  ratePerSecond,
  keyed = true,
}: {
  edge: string
  ratePerSecond: number
  /** Whether payments carry an Idempotency-Key. */
  keyed?: boolean
}): Promise<Load> {
  const run = randomUUID().slice(0, 8)
  const client = createClient(edge)
  const cookies = await Promise.all([1, 2, 3, 4, 5].map((n) => client.signUp(`load-${run}-${n}`)))
  // Connections and code that instances have not used yet belong to their start, not to the change.
  for (let n = 0; n < WARM_UP; n += 1) await client.get('/api/payments', cookies[n % 5] ?? '')
  const began = performance.now()
  const pending = new Set<Promise<void>>()
  const failed: Failure[] = []
  const paid: string[] = []
  const latencies: number[] = []
  const servedBy = new Map<string, number>()
  let sent = 0
  const stopping = new AbortController()

  async function send(n: number) {
    const kind = MIX[(n * 7) % MIX.length] ?? 'me'
    const cookie = cookies[n % cookies.length] ?? ''
    const reference = `load-${run}-${n}`
    const start = performance.now()
    const answer = await request(kind, cookie, reference)
    latencies.push(performance.now() - start)
    const expected = kind === 'pay' ? 201 : 200
    if (answer.status !== expected) {
      const reason = answer.error ?? `${answer.status} ${answer.body.slice(0, 120)}`
      failed.push({ atMs: Math.round(start - began), kind, reason })
    } else if (kind === 'pay') paid.push(reference)
    for (const id of answer.servedBy) servedBy.set(id, (servedBy.get(id) ?? 0) + 1)
  }

  function request(kind: Kind, cookie: string, reference: string): Promise<Answer> {
    if (kind === 'me') return client.get('/api/me', cookie)
    if (kind === 'session') return client.get('/api/auth/get-session', cookie)
    if (kind === 'payments') return client.get('/api/payments', cookie)
    if (kind === 'page') return client.get('/sign-in', '')
    return client.pay(cookie, reference, keyed ? randomUUID() : undefined)
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
      return { run, sent, failed, paid, servedBy, latencyMs }
    },
  }
}
