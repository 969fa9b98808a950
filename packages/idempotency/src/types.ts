import type { Transaction } from './store.ts'

/** A response that is stored, and that every repetition of the request receives. */
export interface StoredResponse {
  readonly status: number
  /** `[name, value, name, value, ...]`. `storableHeaders` removes those that are not replayed. */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** The body was larger than the limit: the request is completed, and its body cannot be replayed. */
  readonly isBodyOmitted?: boolean
}

/** A request with a key. */
export interface KeyedRequest {
  /** The owner of the key, for example the ID of the user. Two scopes never share a record. */
  readonly scope: string
  /** The key, as `parseKey` returns it. */
  readonly key: string
  /** As `fingerprintOf` returns it. */
  readonly fingerprint: string
}

/** The run of a request that holds the claim. */
export interface Attempt {
  /** 1 for the first one. Above 1: an earlier attempt was cut off and may have had effects. */
  readonly number: number
  /** Aborts when another holder has the claim. */
  readonly signal: AbortSignal
  /**
   * A key for another system (base64url, 43 characters). It is the same in each attempt, so that the
   * other system can refuse a repetition.
   */
  downstreamKey(step: string): string
  /** Runs the step once: later attempts receive its stored result. The result must be JSON. */
  step<T>(name: string, run: () => Promise<T>): Promise<T>
  /** From here on the response is stored even if its status is 5xx or the work throws. */
  pointOfNoReturn(): void
  /**
   * Runs the work in a transaction that also stores its response. The result is the committed
   * response, or that of another attempt that has committed before; then nothing of this one is.
   *
   * @throws IdempotencyError `lost`; the error of the work, after a rollback
   */
  transaction(work: (tx: Transaction) => Promise<StoredResponse>): Promise<StoredResponse>
  /**
   * Stores the response and ends the attempt. A response whose status is not stored (`isStorable`)
   * releases the key. The result is the response to send: this one (the same object), or that of
   * another attempt if this one was fenced. Called by `run`.
   *
   * If the store fails, the response is sent and its completion is repeated in the background: the
   * work has run, and a 503 would make the client run it again.
   *
   * @throws IdempotencyError `lost`: another attempt has the claim and has no response yet;
   * `no-transaction`
   */
  complete(response: StoredResponse): Promise<StoredResponse>
  /** Ends the attempt without a response, so that the next one runs. Called by `run`. */
  release(): Promise<void>
}

/**
 * - `claimed`: the caller runs the request, and ends the attempt by `complete` or `release`.
 * - `replayed`: the response of an earlier attempt. `waited`: the same, after a wait for it.
 * - `conflict`: an earlier attempt is in progress.
 * - `mismatch`: the key belongs to another request.
 */
export type Started =
  | { readonly outcome: 'claimed'; readonly attempt: Attempt }
  | { readonly outcome: 'replayed' | 'waited'; readonly response: StoredResponse }
  | { readonly outcome: 'conflict'; readonly retryAfterMs: number }
  | { readonly outcome: 'mismatch' }

/** `fresh`: this call ran the work. */
export type Finished =
  | { readonly outcome: 'fresh'; readonly response: StoredResponse }
  | Exclude<Started, { outcome: 'claimed' }>

/**
 * The outcome of a request with a key. `unavailable`: the store did not decide, its record cannot be
 * read, or the `Once` is closed.
 */
export type RequestOutcome =
  | 'fresh'
  | 'replayed'
  | 'waited'
  | 'conflict'
  | 'mismatch'
  | 'unavailable'

/** The calls of a store. */
export type StoreCall = 'begin' | 'complete' | 'release' | 'renew' | 'step' | 'transaction'

/** The totals of one `Once` since its start. */
export interface OnceStats {
  /** Requests by outcome. Each one counts once. */
  readonly requests: Readonly<Record<RequestOutcome, number>>
  /** Failed calls of the store. */
  readonly storeErrors: Readonly<Record<StoreCall, number>>
  /** Claims after the lease of an earlier holder had ended. */
  readonly takeovers: number
  /** Completions that the store refused, because another holder had the claim. */
  readonly fenced: number
  /** Records of claims that the store had lost. */
  readonly healed: number
  /** Attempts that ended without a stored response. */
  readonly released: number
  /** Responses over the limit, stored without their body. */
  readonly oversize: number
  /** Attempts in progress. */
  readonly inFlight: number
  /** Responses that were sent and are not stored yet, because the store fails. */
  readonly uncompleted: number
}

/** Receives the time of each call `begin` and `complete` of the store. */
export type RecordTime = (call: 'begin' | 'complete', seconds: number) => void

/** Runs requests once for all instances that share the store. */
export interface Once {
  /** A response with a larger body is stored without it. */
  readonly maxResponseBytes: number
  /** Claims the request. @throws IdempotencyError */
  begin(request: KeyedRequest): Promise<Started>
  /**
   * Claims the request, runs the work and stores its response. If the work throws, the key is
   * released. After `pointOfNoReturn` a problem with status 500 is stored instead.
   *
   * @throws IdempotencyError; the error of the work
   */
  run(request: KeyedRequest, work: (attempt: Attempt) => Promise<StoredResponse>): Promise<Finished>
  /** The totals since the start. */
  stats(): OnceStats
  /** Sets the receiver of the times of claims and completions, for a histogram. */
  recordTimes(record: RecordTime): void
  /** Rejects if the store cannot decide, for the health of an instance. */
  check(): Promise<void>
  /** Waits for running attempts until `graceMs` has passed. Claims that remain end with their lease. */
  close(): Promise<void>
}
