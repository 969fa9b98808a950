import type { ConnectionLog } from '@repo/redis'
import { MAX_MS, readFields, requireMethods, requireWhole } from './options.ts'
import { createRecordCodec, type RecordCodec } from './record.ts'
import { createSeal, type SealOptions } from './seal.ts'
import type { IdempotencyStore } from './store.ts'

export interface OnceOptions {
  store: IdempotencyStore
  /** The lease of a claim, in ms. It is renewed while the request runs. */
  leaseMs?: number
  /** How long a response is stored, in ms: at least the time in which clients retry. */
  ttlMs?: number
  /** The response to a request whose first attempt runs: a conflict at once, or after a wait. */
  inFlight?: 'conflict' | { waitMs: number }
  /** A response with a larger body is stored without it. */
  maxResponseBytes?: number
  /** Encrypts records at rest. */
  seal?: SealOptions
  /** The time that `close` waits for running attempts, in ms. */
  graceMs?: number
  log?: ConnectionLog
}

const MAX_BYTES = 268_435_456
/** About 400 days. */
const MAX_TTL_MS = 34_560_000_000

/** The options of a `Once` with their defaults. */
export interface Settings {
  readonly store: IdempotencyStore
  readonly codec: RecordCodec
  readonly leaseMs: number
  readonly ttlMs: number
  /** 0: a conflict at once. */
  readonly waitMs: number
  readonly maxResponseBytes: number
  readonly graceMs: number
  readonly log: ConnectionLog | undefined
}

const STORE_METHODS = [
  'begin',
  'complete',
  'release',
  'renew',
  'readSteps',
  'writeStep',
  'check',
] as const

/** @throws IdempotencyError `bad-option` */
export function readSettings(options: OnceOptions): Settings {
  const read = readFields('bad-option', 'options', options)
  const { store, leaseMs = 15_000, ttlMs = 86_400_000, inFlight = 'conflict', seal, log } = read
  const { maxResponseBytes = 1_048_576, graceMs = 5_000 } = read
  requireMethods('bad-option', 'store', store, STORE_METHODS)
  requireWhole('leaseMs', leaseMs, 100, 3_600_000)
  requireWhole('ttlMs', ttlMs, 1_000, MAX_TTL_MS)
  requireWhole('maxResponseBytes', maxResponseBytes, 0, MAX_BYTES)
  requireWhole('graceMs', graceMs, 0, MAX_MS)
  if (log !== undefined) requireMethods('bad-option', 'log', log, ['info', 'warn'])
  const codec = createRecordCodec(
    maxResponseBytes,
    seal === undefined ? undefined : createSeal(seal),
  )
  return {
    store,
    codec,
    leaseMs,
    ttlMs,
    waitMs: readWait(inFlight),
    maxResponseBytes,
    graceMs,
    log,
  }
}

function readWait(inFlight: 'conflict' | { waitMs: number }): number {
  if (inFlight === 'conflict') return 0
  const { waitMs } = readFields('bad-option', 'inFlight', inFlight)
  requireWhole('inFlight.waitMs', waitMs, 1, MAX_MS)
  return waitMs
}
