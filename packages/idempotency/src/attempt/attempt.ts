import { noteFailure } from '@repo/concurrency'
import type { ConnectionLog } from '@repo/redis'
import { IdempotencyError } from '../errors.ts'
import { downstreamKeyOf } from '../fingerprint.ts'
import type { Counts } from '../metrics.ts'
import { requireFunction, requireText } from '../options.ts'
import type { RecordCodec } from '../record.ts'
import { checkResponse, isStorable } from '../response.ts'
import type { Claim, Completed, IdempotencyStore, Transaction } from '../store.ts'
import type {
  Attempt,
  Finished,
  KeyedRequest,
  RecordTime,
  RequestOutcome,
  StoreCall,
  StoredResponse,
} from '../types.ts'
import type { Retries } from './retries.ts'
import { createSteps, type Steps } from './steps.ts'

/** The pause before the second attempt to complete. Both end within a second while Redis hangs. */
const COMPLETE_PAUSES_MS = [50]

/** The part of a `Once` that its attempts use. */
export interface AttemptContext {
  readonly store: IdempotencyStore
  readonly codec: RecordCodec
  readonly leaseMs: number
  readonly ttlMs: number
  readonly maxResponseBytes: number
  readonly counts: Counts
  readonly log: ConnectionLog | undefined
  recordTime: RecordTime
  readonly retries: Pick<Retries, 'completeLater' | 'releaseLater'>
  /** Counts the request, and wakes the requests that wait for this attempt. */
  onEnd(attempt: RunningAttempt): void
}

/** Why `transaction` refused to run the work. */
export type Refusal = Extract<Finished, { outcome: 'conflict' | 'mismatch' }>

/** Ends a transaction whose response is not stored. */
class Rollback extends Error {
  readonly response: StoredResponse

  constructor(response: StoredResponse) {
    super('the response is not stored')
    this.response = response
  }
}

/** The run of a request that holds the claim, from `begin` to its end. */
export class RunningAttempt implements Attempt {
  readonly number: number
  readonly claim: Claim
  readonly #stopRenewal: () => void
  /** The outcome of the request so far; undefined: no request has this attempt. */
  outcome: RequestOutcome | undefined = 'fresh'
  /** The store refused the transaction, because another attempt holds the claim or the key. */
  refusal: Refusal | undefined
  /** The response that is committed by `transaction`, or that of another attempt. */
  committed: StoredResponse | undefined
  readonly #request: KeyedRequest
  readonly #context: AttemptContext
  #isFinal = false
  #isLost = false
  #controller: AbortController | undefined
  #steps: Steps | undefined
  #transaction: Promise<StoredResponse> | undefined
  #end: Promise<StoredResponse | undefined> | undefined

  constructor(
    request: KeyedRequest,
    { claim, number, stopRenewal }: { claim: Claim; number: number; stopRenewal: () => void },
    context: AttemptContext,
  ) {
    this.#request = request
    this.#stopRenewal = stopRenewal
    this.claim = claim
    this.number = number
    this.#context = context
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isLost) this.#controller.abort(lost())
    return this.#controller.signal
  }

  get isFinal(): boolean {
    return this.#isFinal
  }

  /** Records that another holder has the claim. */
  lose(): void {
    this.#isLost = true
    this.#controller?.abort(lost())
  }

  downstreamKey(step: string): string {
    return downstreamKeyOf(this.#request.scope, this.#request.key, step)
  }

  async step<T>(name: string, run: () => Promise<T>): Promise<T> {
    requireText('step', name, 255)
    requireFunction('bad-argument', 'run', run)
    this.#requireOpen()
    this.#steps ??= createSteps(this.claim, this.#context)
    return this.#steps.run(name, run)
  }

  pointOfNoReturn(): void {
    this.#isFinal = true
  }

  transaction(work: (tx: Transaction) => Promise<StoredResponse>): Promise<StoredResponse> {
    return Promise.try(() => {
      requireFunction('bad-argument', 'work', work)
      this.#requireOpen()
      if (this.#transaction) {
        const message = 'transaction: an attempt has one transaction at a time, and commits once'
        throw new IdempotencyError('bad-argument', message)
      }
      this.#transaction = this.#transact(work).finally(() => {
        // Nothing was committed, so that the work may try again.
        if (!this.committed) this.#transaction = undefined
      })
      return this.#transaction
    })
  }

  async complete(response: StoredResponse): Promise<StoredResponse> {
    checkResponse(response)
    this.#end ??= this.#complete(response).finally(() => this.#ended())
    return (await this.#end) ?? response
  }

  async release(): Promise<void> {
    this.#end ??= this.#release().finally(() => this.#ended())
    await this.#end
  }

  async #complete(response: StoredResponse): Promise<StoredResponse> {
    await this.#transaction?.catch(() => undefined)
    if (this.committed) return this.committed
    if (!this.#isFinal && !isStorable(response.status)) {
      await this.#release()
      return response
    }
    const { store } = this.#context
    if (!store.needsTransaction) return this.#store(response)
    if (response.status >= 400) return this.#transact(async () => response)
    const message = `${store.name} commits only by attempt.transaction, which the work did not call`
    throw new IdempotencyError('no-transaction', message)
  }

  async #store(response: StoredResponse): Promise<StoredResponse> {
    const { store, ttlMs } = this.#context
    const record = this.#encode(response)
    const complete = () => this.#call('complete', () => store.complete(this.claim, record, ttlMs))
    for (const pauseMs of [...COMPLETE_PAUSES_MS, undefined]) {
      let completed: Completed
      try {
        completed = await complete()
      } catch (error) {
        noteFailure('idempotency.complete', error, this.#context.log)
        if (pauseMs === undefined) break
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
        continue
      }
      return this.#settle(response, completed)
    }
    // I8: the work has run, so the client receives its response. A 503 would make it run again.
    this.#context.retries.completeLater(this.claim, complete)
    return response
  }

  #settle(response: StoredResponse, completed: Completed): StoredResponse {
    const { counts, codec } = this.#context
    switch (completed.outcome) {
      case 'stored':
        return response
      case 'healed':
        counts.healed += 1
        return response
      case 'completed':
        counts.fenced += 1
        this.outcome = 'replayed'
        return codec.decode(this.claim.id, completed.record)
      case 'lost':
        counts.fenced += 1
        this.outcome = 'conflict'
        throw lost()
    }
  }

  async #transact(work: (tx: Transaction) => Promise<StoredResponse>): Promise<StoredResponse> {
    const { store, leaseMs, ttlMs, codec, counts } = this.#context
    if (!store.transaction) {
      throw new IdempotencyError('no-transaction', `the store ${store.name} has no transactions`)
    }
    let failure: { error: unknown } | undefined
    const commit = async (tx: Transaction) => {
      try {
        const response = await work(tx)
        checkResponse(response)
        if (!this.#isFinal && !isStorable(response.status)) throw new Rollback(response)
        return { record: this.#encode(response), result: response }
      } catch (error) {
        failure = { error }
        throw error
      }
    }
    let done
    try {
      done = await store.transaction(this.claim, { leaseMs, ttlMs }, commit)
    } catch (error) {
      if (error instanceof Rollback) return error.response
      if (failure?.error !== error) counts.storeErrors.transaction += 1
      throw error
    }
    switch (done.outcome) {
      case 'committed':
        this.committed = done.result
        this.refusal = undefined
        this.outcome = 'fresh'
        return done.result
      case 'completed':
        // In the mode `lock` nothing was claimed before, so that this is a plain replay.
        if (store.name !== 'postgres' || !store.needsTransaction) counts.fenced += 1
        this.outcome = 'replayed'
        this.committed = codec.decode(this.claim.id, done.record)
        return this.committed
      case 'lost':
        counts.fenced += 1
        this.outcome = 'conflict'
        throw lost()
      case 'pending':
        this.outcome = 'conflict'
        this.refusal = { outcome: 'conflict', retryAfterMs: done.retryAfterMs }
        throw lost()
      case 'mismatch':
        this.outcome = 'mismatch'
        this.refusal = { outcome: 'mismatch' }
        throw new IdempotencyError('lost', 'the key belongs to another request')
    }
  }

  async #release(): Promise<undefined> {
    const { store, counts } = this.#context
    await this.#transaction?.catch(() => undefined)
    if (this.committed) return
    if (!this.refusal) counts.released += 1
    // A renewal after the release would write the claim again, as one that the store has lost.
    this.#stopRenewal()
    try {
      await this.#call('release', () => store.release(this.claim))
    } catch (error) {
      noteFailure('idempotency.release', error, this.#context.log)
      this.#context.retries.releaseLater(this.claim)
    }
  }

  #encode(response: StoredResponse): Buffer {
    const { codec, counts, maxResponseBytes } = this.#context
    if (response.isBodyOmitted ?? response.body.length > maxResponseBytes) counts.oversize += 1
    return codec.encode(this.claim.id, response)
  }

  async #call<T>(call: StoreCall, run: () => Promise<T>): Promise<T> {
    const { counts, recordTime } = this.#context
    const startedAtMs = performance.now()
    try {
      const result = await run()
      if (call === 'complete') recordTime(call, (performance.now() - startedAtMs) / 1_000)
      return result
    } catch (error) {
      counts.storeErrors[call] += 1
      throw error
    }
  }

  #ended(): void {
    this.#stopRenewal()
    this.#context.onEnd(this)
  }

  #requireOpen(): void {
    if (this.#end) throw new IdempotencyError('closed', 'the attempt has ended')
  }
}

function lost(): IdempotencyError {
  return new IdempotencyError('lost', 'another holder has the claim of this request')
}
