import { isUtf8 } from 'node:buffer'
import type { Context, Env, MiddlewareHandler, Next } from 'hono'
import { IdempotencyError } from '../errors.ts'
import { fingerprintOf } from '../fingerprint.ts'
import { parseKey } from '../key.ts'
import { readFields, refuse, requireFunction, requireMethods, requireWhole } from '../options.ts'
import type { Transaction } from '../store.ts'
import type { Attempt, KeyedRequest, Once, StoredResponse } from '../types.ts'
import { leaveBody, readBody, readRequestBody } from './body.ts'
import { canonicalJson } from './canonical-json.ts'
import {
  bodyTooLarge,
  type IdempotencyProblem,
  KEY_MISSING,
  problemOf,
  toProblemResponse,
  UNAVAILABLE,
} from './problems.ts'

/** A larger body is sent as bytes: its conversion costs more than the object. */
const MAX_TEXT_BYTES = 65_536

/** The attempt of a request, in a handler. */
export interface HonoAttempt extends Omit<Attempt, 'complete' | 'release' | 'transaction'> {
  /**
   * Runs the work in a transaction that also stores its response. Return the result from the handler:
   * it is the committed response, or that of another attempt that has committed before.
   *
   * @throws IdempotencyError `lost`, `no-transaction`; the error of the work, after a rollback
   */
  transaction(work: (tx: Transaction) => Promise<Response>): Promise<Response>
}

/** The variables of a handler after the middleware. */
export interface IdempotencyEnv extends Env {
  Variables: { attempt: HonoAttempt }
}

/** As `IdempotencyEnv`, for `required: false`: a request without a key has no attempt. */
export interface OptionalIdempotencyEnv extends Env {
  Variables: { attempt?: HonoAttempt }
}

export interface IdempotencyOptions {
  once: Once
  /**
   * The owner of the keys of a request, such as the ID of its user. Two scopes never share a record. A
   * request without one does not run: the error `no-scope` is thrown.
   */
  scope: (c: Context) => string | undefined | Promise<string | undefined>
  /** Whether a request without a key is refused. Otherwise it runs without one. */
  required?: boolean
  /** `json`: bodies that differ only in spaces or in the order of keys are the same request. */
  fingerprint?: 'bytes' | 'json'
  /** A request with a larger body is refused before its key is claimed. */
  maxBodyBytes?: number
  /** Converts a problem to a response, such as `problemResponse` of `@repo/service`. */
  toResponse?: (problem: IdempotencyProblem) => Response
}

/**
 * Runs the handlers after it once for each key of a scope. Each repetition of the request receives the
 * same status, bytes and safe headers. Its place is after authentication, limits and `bodyLimit`. The
 * handlers read the body by `c.req`, not by `c.req.raw`. A client that disconnects does not end the
 * work.
 *
 * @throws IdempotencyError `bad-option`
 */
export function idempotency(
  options: IdempotencyOptions & { required: false },
): MiddlewareHandler<OptionalIdempotencyEnv>
export function idempotency(
  options: IdempotencyOptions & { required?: true },
): MiddlewareHandler<IdempotencyEnv>
export function idempotency(options: IdempotencyOptions): MiddlewareHandler {
  const settings = readSettings(options)
  const { required, toResponse } = settings

  return async function runOnce(c, next) {
    const header = c.req.raw.headers.get('idempotency-key')
    if (header === null) {
      if (required) return toResponse(KEY_MISSING)
      await next()
      return undefined
    }
    try {
      const request = await readRequest(c, header, settings)
      if (!request) return toResponse(bodyTooLarge(settings.maxBodyBytes))
      return await answer(c, next, request, settings)
    } catch (error) {
      const problem = error instanceof IdempotencyError ? problemOf(error) : undefined
      if (!problem) throw error
      return send(c, toResponse(problem))
    }
  }
}

/** Returns the request with its key; undefined: its body is too large. */
async function readRequest(
  c: Context,
  header: string,
  { scope, maxBodyBytes, fingerprint }: Settings,
): Promise<KeyedRequest | undefined> {
  const key = parseKey(header) ?? ''
  const found = scope(c)
  const owner = found instanceof Promise ? await found : found
  if (typeof owner !== 'string' || owner === '') {
    const message = `scope returned no owner of the key for ${c.req.method} ${c.req.path}`
    throw new IdempotencyError('no-scope', message)
  }
  const body = await readRequestBody(c.req, maxBodyBytes)
  if (!body) return undefined
  const compared = fingerprint === 'json' ? canonicalJson(body) : body
  const target = targetOf(c.req.url)
  return {
    scope: owner,
    key,
    fingerprint: fingerprintOf({ method: c.req.method, target, body: compared }),
  }
}

/** The path and the query of a URL, as they were sent. */
function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  return start === -1 ? '/' : url.slice(start)
}

/** A response of the handlers, as it is stored and as it is sent. */
interface HeldResponse {
  readonly stored: StoredResponse
  readonly headers: Headers
  /** Undefined: the bytes of `stored`. */
  readonly whole: ReadableStream<Uint8Array> | undefined
}

async function answer(
  c: Context,
  next: Next,
  request: KeyedRequest,
  { once, toResponse }: Settings,
): Promise<Response | undefined> {
  // The response of the handlers, and that of a transaction, which is the stored one if it commits.
  const held: HeldResponse[] = []
  const finished = await once.run(request, async (attempt) => {
    async function transaction(work: (tx: Transaction) => Promise<Response>): Promise<Response> {
      requireFunction('bad-argument', 'work', work)
      const response = await attempt.transaction(async (tx) => holdResult(await work(tx)))
      const { headers, whole } = findHeld(response) ?? {}
      return createResponse(response, headers, whole)
    }
    c.set('attempt', toHonoAttempt(attempt, transaction))
    await next()
    if (c.error instanceof IdempotencyError && problemOf(c.error)) throw c.error
    return holdResult(c.res)
  })
  async function holdResult(result: Response): Promise<StoredResponse> {
    // The large body of a transaction is read when it is sent: a second reader would lock it.
    const isHeld = held.some(({ whole }) => whole !== undefined && whole === result.body)
    const response = await holdResponse(result, once.maxResponseBytes, isHeld)
    held.push(response)
    return response.stored
  }
  function findHeld(response: StoredResponse): HeldResponse | undefined {
    return held.find(({ stored }) => stored === response)
  }
  if (finished.outcome === 'conflict' || finished.outcome === 'mismatch') {
    return send(c, toResponse(problemOf(finished) ?? UNAVAILABLE))
  }
  const { headers, whole } = findHeld(finished.response) ?? {}
  const response = createResponse(finished.response, headers, whole)
  response.headers.set('Idempotency-Status', finished.outcome)
  if (finished.outcome !== 'fresh') {
    response.headers.set('Idempotency-Replayed', 'true')
    if (finished.response.isBodyOmitted) {
      response.headers.set('Idempotency-Replay-Unavailable', 'size-exceeded')
    }
  }
  return send(c, response)
}

async function holdResponse(
  response: Response,
  maxBytes: number,
  isHeld: boolean,
): Promise<HeldResponse> {
  const { status, headers } = response
  const list: string[] = []
  for (const [name, value] of headers) list.push(name, value)
  const held = isHeld && response.body ? leaveBody(response.body) : undefined
  const { bytes, whole } = held ?? (await readBody(response.body, maxBytes))
  const stored = { status, headers: list, body: bytes, ...(whole && { isBodyOmitted: true }) }
  return { stored, headers, whole }
}

function createResponse(
  { status, headers, body }: StoredResponse,
  first?: Headers,
  whole?: ReadableStream<Uint8Array>,
): Response {
  const hasBody = status !== 204 && status !== 205 && status !== 304
  const sent = first ?? toHeaders(headers)
  return new Response(hasBody ? (whole ?? toBody(body, sent)) : null, { status, headers: sent })
}

/**
 * Bytes as the body of a response. A text costs half as much as bytes, and is sent as the same bytes if
 * they are UTF-8. A response whose body is a text receives a content type if it has none.
 */
function toBody(bytes: Buffer, headers: Headers): string | Uint8Array<ArrayBuffer> {
  const isText = bytes.length <= MAX_TEXT_BYTES && isUtf8(bytes) && headers.has('content-type')
  return isText ? bytes.toString() : Uint8Array.from(bytes)
}

function toHeaders(list: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i + 1 < list.length; i += 2) headers.append(list[i] ?? '', list[i + 1] ?? '')
  return headers
}

/** Replaces the response of the handlers, if there is one. */
function send(c: Context, response: Response): Response | undefined {
  if (!c.finalized) return response
  // Otherwise Hono copies the response, and merges the headers of both.
  c.res = undefined
  c.res = response
  return undefined
}

function toHonoAttempt(attempt: Attempt, transaction: HonoAttempt['transaction']): HonoAttempt {
  return {
    number: attempt.number,
    get signal() {
      return attempt.signal
    },
    downstreamKey: (step) => attempt.downstreamKey(step),
    step: (name, run) => attempt.step(name, run),
    pointOfNoReturn: () => attempt.pointOfNoReturn(),
    transaction,
  }
}

type Settings = Required<IdempotencyOptions>

function readSettings(options: IdempotencyOptions): Settings {
  const read = readFields('bad-option', 'options', options)
  const { once, scope, required = true, fingerprint = 'bytes', maxBodyBytes = 1_048_576 } = read
  const { toResponse = toProblemResponse } = read
  requireMethods('bad-option', 'once', once, ['run'])
  requireFunction('bad-option', 'scope', scope)
  if (typeof required !== 'boolean') refuse('bad-option', 'required', 'true or false')
  if (fingerprint !== 'bytes' && fingerprint !== 'json') {
    refuse('bad-option', 'fingerprint', "'bytes' or 'json'")
  }
  requireWhole('maxBodyBytes', maxBodyBytes, 0, 268_435_456)
  requireFunction('bad-option', 'toResponse', toResponse)
  return { once, scope, required, fingerprint, maxBodyBytes, toResponse }
}
