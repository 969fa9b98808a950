import { setTimeout as wait } from 'node:timers/promises'
import { DatabaseError } from 'pg'

/**
 * SQLSTATE classes of errors that a statement or its data causes, so another attempt fails as
 * well. `TF` is the class of the triggers in `migrations`. Every other class is an outage.
 */
const DEFECT_CLASSES = new Set([
  ...['02', '03', '09', '0A', '0B', '0F', '0L', '0P', '0Z', '10', '20', '21', '22', '23', '24'],
  ...['27', '2B', '2D', '2F', '36', '38', '39', '3B', '3F', '42', '44', 'P0', 'TF'],
])
/** Statements beyond a limit of PostgreSQL; the rest of class 54 is about the server. */
const DEFECTS = new Set(['54001', '54011', '54023'])
/** 42501: a right that the role lacks, for example during a migration. 42P05: a pooler's leftover. */
const OUTAGES = new Set(['42501', '42P05'])
/** Errors after which the connection can still be used: conflicts, locks and cancellation. */
const HARMLESS = /^(40|55|57014|42501)/
/** The server refuses the role or the database: class 28, 3D000, and 42501 for CONNECT. */
const REFUSAL = /^(28|3D000|42501)/
/** The server shuts down or became read-only, so its other connections cannot be used either. */
const ROLE_LOST = /^(25006|57P0[123])/

const NETWORK = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
])
/** Messages of pg 8 and its pool in errors without a code. */
const MESSAGE =
  /^(Query read timeout|timeout expired|timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end)/

/** Pauses between attempts, which double. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

const storeErrors = new WeakSet<Error>()

/** PostgreSQL did not complete a call within its deadline. `cause` is the last failure to connect. */
export class DatabaseUnavailableError extends Error {
  override name = 'DatabaseUnavailableError'
  readonly code: 'no-connection' | 'no-answer'

  constructor(code: 'no-connection' | 'no-answer', message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * Marks an error of a connection: TLS, authentication, DNS or protocol. Such errors have no common
 * form, so their origin decides.
 */
export function markStoreError(error: Error): void {
  if (!(error instanceof DatabaseError)) storeErrors.add(error)
}

/**
 * Whether an error is an outage, and not a refusal because of the statement or its data. Causes are
 * checked too. It is unknown whether the statement was executed.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof DatabaseUnavailableError || storeErrors.has(error)) return true
  if (isServerError(error)) return isServerOutage(error)
  if (error instanceof AggregateError && error.errors.some(isDatabaseUnavailable)) return true
  const code = codeOf(error)
  if (code === undefined ? MESSAGE.test(error.message) : NETWORK.has(code)) return true
  return isDatabaseUnavailable(error.cause)
}

/** Whether the server refuses this role or database: an attempt a second later fails as well. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (isServerError(error) && REFUSAL.test(codeOf(error) ?? '')) || isRefusal(error.cause)
}

/** Whether a connection must not be used again after the server sent this error. */
export function breaksConnection(error: Error): boolean {
  return isDatabaseUnavailable(error) && !HARMLESS.test(codeOf(error) ?? '')
}

/** Whether all open connections lead to a server that can no longer execute writes. */
export function breaksAllConnections(error: Error): boolean {
  return ROLE_LOST.test(codeOf(error) ?? '')
}

export interface UntilAvailableOptions {
  timeoutMs: number
  /** Whether a refusal of the role or the database is repeated like an outage. */
  retriesRefusals?: boolean
  /** Ends the attempts. */
  signal?: AbortSignal | undefined
  onFailure?: ((error: unknown) => void) | undefined
}

/**
 * Runs `work` again while PostgreSQL is unavailable.
 * @throws the last outage when it lasts longer than `timeoutMs`; at once when the server refuses the
 * role or the database, and for another error
 */
export async function untilAvailable<T>(
  work: () => Promise<T>,
  { timeoutMs, retriesRefusals = false, signal, onFailure }: UntilAvailableOptions,
): Promise<T> {
  const giveUpAtMs = performance.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      const isRefused = !retriesRefusals && isRefusal(error)
      const isFinal = isRefused || !isDatabaseUnavailable(error)
      if (isFinal || signal?.aborted || performance.now() + pauseMs > giveUpAtMs) throw error
      onFailure?.(error)
      await wait(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal?.aborted) throw error
    }
  }
}

/** Returns the SQLSTATE of an error of the server; causes are checked too. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return isServerError(error) ? codeOf(error) : sqlStateOf(error.cause)
}

function isServerOutage(error: Error): boolean {
  const code = codeOf(error)
  if (code === undefined || OUTAGES.has(code)) return true
  // "cached plan must not change result type": a prepared statement that a migration outdated.
  if ('routine' in error && error.routine === 'RevalidateCachedQuery') return true
  return !DEFECTS.has(code) && !DEFECT_CLASSES.has(code.slice(0, 2))
}

function isServerError(error: Error): boolean {
  if (error instanceof DatabaseError) return true
  return 'severity' in error && /^[0-9A-Z]{5}$/.test(codeOf(error) ?? '')
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
