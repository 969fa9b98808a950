import {
  type Attempt,
  claimIdOf,
  fingerprintOf,
  IdempotencyError,
  type IdempotencyProblem,
  type Once,
  problemOf,
  type StoredResponse,
} from '@repo/idempotency'
import { inRequest, type Log, noteIdempotency } from '@repo/observability'
import {
  type CollectedResponse,
  getHeader,
  type Hold,
  type HoldDecision,
  type RequestClaim,
  type WholeResponse,
} from '@repo/proxy'
import { createProblem, sendProblem } from '@repo/service'
import type { GatewayRequest } from '../request/gateway-request.ts'

const STATUS = 'Idempotency-Status'
const KEY_HASH_CHARS = 16
const KEY_REUSED = '"urn:threefold:problem:idempotency-key-reused"'

export interface KeyedRequestOptions {
  once: Pick<Once, 'begin' | 'maxResponseBytes'>
  log: Log
}

/**
 * One request with a key. The key is claimed when the body is complete, and the response of the
 * instance is stored before the client receives it. A repetition receives the stored response.
 *
 * Events of the proxy occur outside of the context of the request, so each one enters it again.
 */
export class KeyedRequest implements Hold, RequestClaim {
  readonly maxResponseBytes: number
  readonly #request: GatewayRequest
  readonly #scope: string
  readonly #key: string
  readonly #options: KeyedRequestOptions
  #attempt: Attempt | undefined

  /** @throws IdempotencyError `no-scope` if no user is signed in: a key is never shared by users */
  constructor(request: GatewayRequest, key: string, options: KeyedRequestOptions) {
    const userId = request.identity?.userId ?? ''
    this.#note('pending', claimIdOf(userId, key), request)
    this.#request = request
    this.#scope = userId
    this.#key = key
    this.#options = options
    this.maxResponseBytes = options.once.maxResponseBytes
  }

  begin(body: Buffer): Promise<HoldDecision> {
    return this.#inContext(() => this.#begin(body))
  }

  complete(response: CollectedResponse): Promise<WholeResponse | undefined> {
    return this.#inContext(() => this.#complete(response))
  }

  release(): Promise<void> {
    this.#note('released')
    return this.#inContext(async () => this.#attempt?.release())
  }

  async #begin(body: Buffer): Promise<HoldDecision> {
    const { method, req } = this.#request
    try {
      const fingerprint = fingerprintOf({ method, target: req.url ?? '/', body })
      const { once } = this.#options
      const started = await once.begin({ scope: this.#scope, key: this.#key, fingerprint })
      if (started.outcome === 'claimed') {
        this.#note('claimed')
        this.#attempt = started.attempt
        return { outcome: 'claimed', claim: this }
      }
      this.#note(started.outcome)
      if (started.outcome === 'replayed' || started.outcome === 'waited') {
        return { outcome: 'respond', response: toReplay(started.response, started.outcome) }
      }
      return this.#refuse(problemOf(started))
    } catch (error) {
      return this.#decideWithoutStore(error)
    }
  }

  /** The store did not decide. A service that commits the key with its work decides instead. */
  #decideWithoutStore(error: unknown): HoldDecision {
    const problem = problemOfError(error)
    const isOutage = error instanceof IdempotencyError && error.code === 'unavailable'
    // The connection to Redis logs an outage.
    if (!isOutage) {
      this.#options.log.warn(
        { event: 'idempotency.unreadable', err: error },
        'a stored response cannot be read',
      )
    }
    if (!this.#request.route.exactlyOnce) {
      this.#note('unavailable')
      return this.#refuse(problem)
    }
    this.#note('unclaimed')
    return { outcome: 'forward' }
  }

  async #complete(collected: CollectedResponse): Promise<WholeResponse | undefined> {
    const { statusCode: status, headers, body, isBodyOmitted } = collected
    const response = { status, headers, body, ...(isBodyOmitted && { isBodyOmitted }) }
    // The service has the key with another request, whose repetition must still get its response.
    if (this.#request.route.exactlyOnce && status === 422 && body.includes(KEY_REUSED)) {
      this.#note('mismatch')
      await this.#attempt?.release()
      return undefined
    }
    try {
      const stored = await this.#attempt?.complete(response)
      if (stored && stored !== response) {
        this.#note('replayed')
        return toReplay(stored, 'replayed')
      }
    } catch (error) {
      const problem = problemOfError(error)
      // Another holder has the claim. Its response is that of this one if the service has decided.
      if (!this.#request.route.exactlyOnce) {
        this.#note('conflict')
        return toResponse(problem)
      }
    }
    this.#note('fresh')
    if (getHeader(headers, STATUS) === undefined) headers.push(STATUS, 'fresh')
    return undefined
  }

  #refuse(problem: IdempotencyProblem | undefined): HoldDecision {
    if (!problem) throw new TypeError('an outcome without a problem')
    return { outcome: 'refuse', send: (res) => sendProblem(res, problem) }
  }

  /** The key is in no log and in no span: a client could use a secret as the key. */
  #note(outcome: string, claimId?: string, { context } = this.#request): void {
    if (context) noteIdempotency(context, outcome, claimId?.slice(0, KEY_HASH_CHARS))
  }

  #inContext<T>(run: () => T): T {
    const { context } = this.#request
    return context ? inRequest(context, run) : run()
  }
}

/** Returns the problem of an error for the client. @throws every error that is a defect of this app */
export function problemOfError(error: unknown): IdempotencyProblem {
  const problem = error instanceof IdempotencyError ? problemOf(error) : undefined
  if (!problem) throw error
  return problem
}

function toReplay(
  { status, headers, body, isBodyOmitted }: StoredResponse,
  outcome: 'replayed' | 'waited',
): WholeResponse {
  const added = [STATUS, outcome, 'Idempotency-Replayed', 'true']
  if (isBodyOmitted) added.push('Idempotency-Replay-Unavailable', 'size-exceeded')
  return { statusCode: status, headers: [...headers, ...added], body }
}

function toResponse(problem: IdempotencyProblem): WholeResponse {
  const { status, retryAfter = 1 } = problem
  return {
    statusCode: status,
    headers: [
      ...['Content-Type', 'application/problem+json', 'Cache-Control', 'no-store'],
      ...['Retry-After', String(retryAfter)],
    ],
    body: Buffer.from(JSON.stringify(createProblem(problem))),
  }
}
