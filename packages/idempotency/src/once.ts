import { randomFillSync } from 'node:crypto'
import { createRenewedLeases, runInBackground } from '@repo/concurrency'
import { type AttemptContext, type Refusal, RunningAttempt } from './attempt/attempt.ts'
import { createRetries } from './attempt/retries.ts'
import { createWaiting, type Polled } from './attempt/waiting.ts'
import { IdempotencyError, type IdempotencyErrorCode } from './errors.ts'
import { claimIdOf } from './fingerprint.ts'
import { createCounts } from './metrics.ts'
import { readFields, refuse, requireFunction } from './options.ts'
import { checkResponse } from './response.ts'
import { type OnceOptions, readSettings } from './settings.ts'
import type { Claim } from './store.ts'
import type {
  Attempt,
  Finished,
  KeyedRequest,
  Once,
  Started,
  StoredResponse,
  RecordTime,
} from './types.ts'

/** Codes of defects of the work. They are no outage of the store. */
const DEFECTS: ReadonlySet<IdempotencyErrorCode> = new Set([
  'bad-argument',
  'no-scope',
  'no-transaction',
])

const FINGERPRINT = /^[\w-]{43}$/

type Ended = Exclude<Started, { outcome: 'claimed' | 'conflict' }>

/** The problem that is stored when the work throws after its point of no return. */
const FAILED: StoredResponse = {
  status: 500,
  headers: ['content-type', 'application/problem+json', 'cache-control', 'no-store'],
  body: Buffer.from('{"type":"about:blank","title":"Internal Server Error","status":500}'),
}

/**
 * Runs each request with a key once on all instances that share the store, and returns the stored
 * response to each repetition. The docs of `IdempotencyStore` name the limits of each store.
 *
 * @throws IdempotencyError `bad-option`
 */
export function createOnce(options: OnceOptions): Once {
  const settings = readSettings(options)
  const { store, leaseMs, ttlMs, waitMs, graceMs, codec, maxResponseBytes, log } = settings
  const counts = createCounts()
  const running = new Map<Claim, RunningAttempt>()
  const leases = createRenewedLeases<Claim>({ task: 'idempotency.renew', renew })
  const retries = createRetries({ store, leases, leaseMs, ttlMs, counts, log })
  const waiting = createWaiting<RunningAttempt, Ended>({ waitMs: Math.max(1, waitMs), onUnused })
  let recordTime: RecordTime | undefined
  let onIdle: (() => void) | undefined
  let isClosed = false
  const context: AttemptContext = {
    store,
    codec,
    leaseMs,
    ttlMs,
    maxResponseBytes,
    counts,
    log,
    retries,
    recordTime: (call, seconds) => recordTime?.(call, seconds),
    onEnd,
  }

  async function renew(claims: readonly Claim[]): Promise<void> {
    try {
      const taken = new Set((await store.renew(claims, leaseMs)).map(({ token }) => token))
      if (taken.size === 0) return
      for (const claim of claims) if (taken.has(claim.token)) running.get(claim)?.lose()
    } catch (error) {
      counts.storeErrors.renew += 1
      throw error
    }
  }

  function start(request: KeyedRequest, claim: Claim, number: number): RunningAttempt {
    if (number > 1) counts.takeovers += 1
    const stopRenewal = leases.hold(claim, leaseMs)
    const attempt = new RunningAttempt(request, { claim, number, stopRenewal }, context)
    running.set(claim, attempt)
    return attempt
  }

  function onEnd({ claim, outcome }: RunningAttempt): void {
    running.delete(claim)
    if (outcome) counts.requests[outcome] += 1
    if (waitMs > 0) waiting.wake(claim.id + claim.fingerprint)
    if (running.size === 0) onIdle?.()
  }

  function onUnused(attempt: RunningAttempt): void {
    attempt.outcome = undefined
    runInBackground('idempotency.release', () => attempt.release(), log)
  }

  /** Calls the store once. A claim that may have arrived although the call failed is released. */
  async function claimNow(
    request: KeyedRequest,
    id: string,
  ): Promise<Polled<RunningAttempt, Ended>> {
    const claim = { id, fingerprint: request.fingerprint, token: createToken() }
    const startedAtMs = performance.now()
    let begun
    try {
      begun = await store.begin(claim, leaseMs)
    } catch (error) {
      counts.storeErrors.begin += 1
      if (!store.withdraws && isUndecided(error)) retries.releaseLater(claim)
      throw error
    }
    recordTime?.('begin', (performance.now() - startedAtMs) / 1_000)
    if (begun.outcome === 'pending') return begun
    if (begun.outcome === 'mismatch') return { outcome: 'ended', ended: begun }
    if (begun.outcome === 'claimed') {
      const claimed = start(request, claim, begun.attempt)
      if (!isClosed) return { outcome: 'claimed', claimed }
      // It waited while `close` began, and nothing waits for its work.
      onUnused(claimed)
      throw closed()
    }
    const response = codec.decode(claim.id, begun.record)
    return { outcome: 'ended', ended: { outcome: 'replayed', response } }
  }

  async function claimOrWait(request: KeyedRequest, id: string) {
    const polled = await claimNow(request, id)
    if (polled.outcome !== 'pending' || waitMs === 0) return toStarted(polled)
    const poll = () => claimNow(request, id)
    const last = await waiting.wait(id + request.fingerprint, polled.retryAfterMs, poll)
    const started = toStarted(last)
    return started.outcome === 'replayed' ? { ...started, outcome: 'waited' as const } : started
  }

  async function begin(request: KeyedRequest) {
    const read = readRequest(request)
    const id = claimIdOf(read.scope, read.key)
    try {
      if (isClosed) throw closed()
      const started = await claimOrWait(read, id)
      if (started.outcome !== 'claimed') counts.requests[started.outcome] += 1
      return started
    } catch (error) {
      counts.requests.unavailable += 1
      throw error
    }
  }

  async function close(): Promise<void> {
    isClosed = true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs)
      onIdle = () => {
        if (running.size > 0 || retries.uncompleted() > 0) return
        clearTimeout(timer)
        resolve()
      }
      retries.whenCompleted(onIdle)
      onIdle()
    })
    leases.close()
    retries.close()
  }

  return {
    maxResponseBytes,
    begin,
    async run(request, work) {
      requireFunction('bad-argument', 'work', work)
      const started = await begin(request)
      return started.outcome === 'claimed' ? runAttempt(started.attempt, work) : started
    },
    stats: () => ({
      ...structuredClone(counts),
      inFlight: running.size,
      uncompleted: retries.uncompleted(),
    }),
    recordTimes(record) {
      requireFunction('bad-argument', 'record', record)
      recordTime = record
    },
    check: async () => store.check(),
    close,
  }
}

async function runAttempt(
  attempt: RunningAttempt,
  work: (attempt: Attempt) => Promise<StoredResponse>,
): Promise<Finished> {
  let response: StoredResponse
  try {
    response = await work(attempt)
    checkResponse(response)
  } catch (error) {
    return endFailed(attempt, error)
  }
  if (attempt.refusal) return endRefused(attempt, attempt.refusal)
  try {
    const final = await attempt.complete(response)
    return { outcome: attempt.outcome === 'replayed' ? 'replayed' : 'fresh', response: final }
  } catch (error) {
    // Where the claim is a lock, the completion of a 4xx is the first call of the store.
    if (attempt.refusal) return attempt.refusal
    throw error
  }
}

/** Ends an attempt whose work threw. A committed response is the result nevertheless. */
async function endFailed(attempt: RunningAttempt, error: unknown): Promise<Finished> {
  if (attempt.refusal) return endRefused(attempt, attempt.refusal)
  if (attempt.committed) {
    const response = await attempt.complete(attempt.committed)
    return { outcome: attempt.outcome === 'replayed' ? 'replayed' : 'fresh', response }
  }
  if (error instanceof IdempotencyError && !DEFECTS.has(error.code)) {
    attempt.outcome = error.code === 'lost' ? 'conflict' : 'unavailable'
  }
  if (attempt.isFinal) await attempt.complete(FAILED)
  else await attempt.release()
  throw error
}

async function endRefused(attempt: RunningAttempt, refusal: Refusal): Promise<Finished> {
  await attempt.release()
  return refusal
}

function toStarted(polled: Polled<RunningAttempt, Ended>) {
  switch (polled.outcome) {
    case 'claimed':
      return { outcome: 'claimed' as const, attempt: polled.claimed }
    case 'pending':
      return { outcome: 'conflict' as const, retryAfterMs: polled.retryAfterMs }
    case 'ended':
      return polled.ended
  }
}

function closed(): IdempotencyError {
  return new IdempotencyError('closed', 'this Once is closed')
}

/** Whether the claim may have arrived. */
function isUndecided(error: unknown): boolean {
  return !(error instanceof IdempotencyError) || error.code === 'unavailable'
}

const tokens = Buffer.alloc(4_096)
let tokensAt = tokens.length

/** 128 random bits. One call of the generator serves 256 tokens, because it costs 1 us. */
function createToken(): string {
  if (tokensAt === tokens.length) {
    randomFillSync(tokens)
    tokensAt = 0
  }
  tokensAt += 16
  return tokens.toString('base64url', tokensAt - 16, tokensAt)
}

function readRequest(request: KeyedRequest): KeyedRequest {
  const read = readFields('bad-argument', 'request', request)
  if (typeof read.fingerprint === 'string' && FINGERPRINT.test(read.fingerprint)) return read
  return refuse('bad-argument', 'fingerprint', 'the result of fingerprintOf')
}
