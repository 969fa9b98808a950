import { IdempotencyError } from '../errors.ts'
import { readFields, refuse, requireFunction, requireWhole } from '../options.ts'
import type { Begun, Claim, Completed, IdempotencyStore } from '../store.ts'

export interface MemoryStoreOptions {
  /** The number of instances of the app: 1, because the store is in the memory of one. */
  replicas?: number
  /** The number of keys at a time, at most. A further claim rejects with `unavailable`. */
  maxKeys?: number
  /** A clock in ms that never goes back, for tests. */
  now?: () => number
}

/** How long an abandoned claim is stored after its lease, so that its next attempt has a number. */
const ABANDONED_MS = 86_400_000

interface Entry {
  readonly token: string
  readonly fingerprint: string
  readonly attempt: number
  leaseUntilMs: number
  expiresAtMs: number
  record?: Buffer
  /** Results of steps. They outlive a release and a takeover. */
  readonly steps: Map<string, string>
}

/** A claim that was released. Its steps are stored for the next attempt. */
interface Released {
  readonly fingerprint: string
  readonly steps: Map<string, string>
  readonly expiresAtMs: number
}

/**
 * Creates a store in the memory of this process, for tests and for an app with one instance. Its claims
 * and records end with the process.
 *
 * @throws IdempotencyError `single-instance` for more than one replica, `bad-option`
 */
export function memoryStore(options: MemoryStoreOptions = {}): IdempotencyStore {
  const {
    replicas = 1,
    maxKeys = 100_000,
    now = () => performance.now(),
  } = readFields('bad-option', 'options', options)
  requireWhole('replicas', replicas, 1, 1_000_000)
  requireWhole('maxKeys', maxKeys, 1, 10_000_000)
  requireFunction('bad-option', 'now', now)
  if (replicas > 1) {
    const message = `${replicas} instances need a store that they share, not the memory of one`
    throw new IdempotencyError('single-instance', message)
  }
  const entries = new Map<string, Entry>()
  const released = new Map<string, Released>()

  function readEntry(id: string): Entry | undefined {
    const entry = entries.get(id)
    if (!entry || entry.expiresAtMs > readClock()) return entry
    entries.delete(id)
    return undefined
  }

  function readClock(): number {
    const nowMs = now()
    return Number.isFinite(nowMs) ? nowMs : refuse('bad-option', 'now', 'a clock in ms')
  }

  function sweep(limit: number): number {
    const nowMs = readClock()
    let removed = 0
    for (const map of [entries, released]) {
      for (const [id, { expiresAtMs }] of map) {
        if (removed >= limit) return removed
        if (expiresAtMs > nowMs) continue
        map.delete(id)
        removed += 1
      }
    }
    return removed
  }

  function requireRoom(): void {
    if (entries.size + released.size < maxKeys) return
    if (sweep(Infinity) > 0) return
    const first = released.keys().next()
    if (!first.done) return void released.delete(first.value)
    throw new IdempotencyError('unavailable', `the memory store has ${maxKeys} keys: maxKeys`)
  }

  function write(claim: Claim, attempt: number, leaseMs: number, record?: Buffer): void {
    const { id, token, fingerprint } = claim
    const earlier = record ? undefined : (entries.get(id) ?? released.get(id))
    const isSame = earlier?.fingerprint === fingerprint
    const steps = isSame ? earlier.steps : new Map<string, string>()
    const leaseUntilMs = readClock() + leaseMs
    const expiresAtMs = leaseUntilMs + (record ? 0 : ABANDONED_MS)
    const entry: Entry = { token, fingerprint, attempt, leaseUntilMs, expiresAtMs, steps }
    if (record) entry.record = record
    released.delete(id)
    entries.set(id, entry)
  }

  function begin(claim: Claim, leaseMs: number): Begun {
    const entry = readEntry(claim.id)
    if (!entry) {
      requireRoom()
      write(claim, 1, leaseMs)
      return { outcome: 'claimed', attempt: 1 }
    }
    if (entry.fingerprint !== claim.fingerprint) return { outcome: 'mismatch' }
    if (entry.record) return { outcome: 'completed', record: entry.record }
    const retryAfterMs = entry.leaseUntilMs - readClock()
    // A repeated call of the holder has the same result.
    if (retryAfterMs > 0 && entry.token !== claim.token) return { outcome: 'pending', retryAfterMs }
    const attempt = entry.token === claim.token ? entry.attempt : entry.attempt + 1
    write(claim, attempt, leaseMs)
    return { outcome: 'claimed', attempt }
  }

  function complete(claim: Claim, record: Buffer, ttlMs: number): Completed {
    const entry = readEntry(claim.id)
    if (entry && entry.token !== claim.token) {
      const { record: winner } = entry
      if (!winner || entry.fingerprint !== claim.fingerprint) return { outcome: 'lost' }
      return { outcome: 'completed', record: winner }
    }
    if (entry?.record) return { outcome: 'stored' }
    write(claim, entry?.attempt ?? 1, ttlMs, record)
    return { outcome: entry ? 'stored' : 'healed' }
  }

  function release({ id, token }: Claim): void {
    const entry = readEntry(id)
    if (!entry || entry.token !== token || entry.record) return
    entries.delete(id)
    const { fingerprint, steps, expiresAtMs } = entry
    if (steps.size > 0) released.set(id, { fingerprint, steps, expiresAtMs })
  }

  /** Whether another holder has the claim. */
  function renew({ id, token }: Claim, leaseMs: number): boolean {
    const entry = readEntry(id)
    if (!entry || entry.token !== token) return entry !== undefined
    if (entry.record) return false
    entry.leaseUntilMs = readClock() + leaseMs
    entry.expiresAtMs = entry.leaseUntilMs + ABANDONED_MS
    return false
  }

  function writeStep({ id, token }: Claim, step: string, json: string): void {
    const entry = readEntry(id)
    if (!entry || entry.token !== token || entry.record) {
      throw new IdempotencyError('lost', 'another holder has the claim, so the step is not stored')
    }
    entry.steps.set(step, json)
  }

  return {
    name: 'memory',
    isDurable: false,
    needsTransaction: false,
    begin: async (claim, leaseMs) => begin(claim, leaseMs),
    complete: async (claim, record, ttlMs) => complete(claim, record, ttlMs),
    release: async (claim) => release(claim),
    renew: async (claims, leaseMs) => claims.filter((claim) => renew(claim, leaseMs)),
    readSteps: async ({ id }) => new Map(readEntry(id)?.steps),
    writeStep: async (claim, step, json) => writeStep(claim, step, json),
    sweep: async (limit) => sweep(limit),
    check: async () => undefined,
  }
}
