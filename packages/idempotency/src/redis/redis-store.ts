import {
  checkWrites,
  type ConnectionLog,
  type RedisConnection,
  RedisError,
  type Script,
  sendBinaryScript,
} from '@repo/redis'
import { IdempotencyError } from '../errors.ts'
import type { Begun, Claim, Completed, IdempotencyStore } from '../store.ts'
import { idempotencyKeys, requireClaim } from './keys.ts'
import {
  BEGIN,
  COMPLETE,
  FORMAT,
  READ_STEPS,
  RECORD_OFFSET,
  RELEASE,
  RENEW,
  WITHDRAW,
  WRITE_STEP,
} from './scripts.ts'
import { createWithdrawals } from './withdrawals.ts'

const DAY_MS = 86_400_000
/** The number of claims in one RENEW: about 0.2 ms of the server. */
const MAX_RENEWED = 200
/** The first byte of values that this release can read. */
const FORMAT_BYTE = FORMAT.charCodeAt(0)

export interface RedisStoreOptions {
  /** The deadline of its calls is the longest wait for a decision. */
  redis: RedisConnection
  /**
   * How long a claim is stored after its lease has ended, in ms; a day by default. Until then a late
   * holder is refused, and the next attempt has the next number.
   */
  retainMs?: number
  /** Receives failures of calls in the background. */
  log?: ConnectionLog
}

/**
 * Stores claims and records in Redis. Each decision is one script and one round trip, by the clock of
 * Redis. While Redis keeps its memory, one holder at a time has the claim of a key. When Redis loses its
 * memory, the next renewal or the completion writes the claim again. A request with the same key that
 * arrives before that runs a second time: only a store in PostgreSQL prevents this.
 *
 * A call that Redis does not decide within its deadline rejects with `unavailable`. A claim that Redis
 * may have accepted is withdrawn in the background when Redis replies again, also if it arrives later.
 */
export function redisStore({ redis, retainMs = DAY_MS, log }: RedisStoreOptions): IdempotencyStore {
  const keys = idempotencyKeys(redis)
  const withdrawLater = createWithdrawals({
    withdraw: (claim, leaseMs) => run(WITHDRAW, [keys.record(claim)], [claim.token, leaseMs]),
    log,
  })
  /** Claims of this process that may have steps. */
  const withSteps = new WeakSet<Claim>()

  function run(
    script: Script,
    names: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    return redis.call((client) => sendBinaryScript(client, script, names, args))
  }

  async function begin(claim: Claim, leaseMs: number): Promise<Begun> {
    requireClaim(claim)
    const { token, fingerprint } = claim
    const name = keys.record(claim)
    let reply: unknown
    try {
      reply = await run(BEGIN, [name], [token, fingerprint, leaseMs, leaseMs + retainMs])
    } catch (error) {
      // Redis may have accepted the claim, or may still do so. No attempt uses it.
      if (isUndecided(error)) withdrawLater(claim, leaseMs)
      throw toStoreError(error)
    }
    if (typeof reply !== 'number') return { outcome: 'completed', record: readRecord(reply) }
    if (reply > 0) return { outcome: 'claimed', attempt: reply }
    return reply === 0 ? { outcome: 'mismatch' } : { outcome: 'pending', retryAfterMs: -reply }
  }

  async function complete(claim: Claim, record: Buffer, ttlMs: number): Promise<Completed> {
    requireClaim(claim)
    const { token, fingerprint } = claim
    const names = [keys.record(claim)]
    if (withSteps.has(claim)) names.push(keys.steps(claim))
    const reply = await run(COMPLETE, names, [token, fingerprint, record, ttlMs]).catch(rethrow)
    if (reply === 1) return { outcome: 'stored' }
    if (reply === 2) return { outcome: 'healed' }
    if (reply === 0) return { outcome: 'lost' }
    return { outcome: 'completed', record: readRecord(reply) }
  }

  async function renew(claims: readonly Claim[], leaseMs: number): Promise<readonly Claim[]> {
    claims.forEach(requireClaim)
    // All parts are sent now: a part after the release of its claim would write the claim again.
    const parts: Promise<readonly Claim[]>[] = []
    for (let first = 0; first < claims.length; first += MAX_RENEWED) {
      parts.push(renewPart(claims.slice(first, first + MAX_RENEWED), leaseMs))
    }
    return (await Promise.all(parts)).flat()
  }

  async function renewPart(part: readonly Claim[], leaseMs: number): Promise<readonly Claim[]> {
    const holders = part.flatMap(({ token, fingerprint }) => [token, fingerprint])
    const args = [leaseMs, leaseMs + retainMs, ...holders]
    const names = part.map((claim) => keys.record(claim))
    const positions = await run(RENEW, names, args).catch(rethrow)
    const lost: Claim[] = []
    if (!Array.isArray(positions)) return lost
    for (const position of positions) {
      const claim = part[Number(position) - 1]
      if (claim) lost.push(claim)
    }
    return lost
  }

  async function readSteps(claim: Claim): Promise<ReadonlyMap<string, string>> {
    requireClaim(claim)
    withSteps.add(claim)
    const flat = await run(READ_STEPS, [keys.steps(claim)], []).catch(rethrow)
    const texts = Array.isArray(flat) ? flat.map(String) : []
    const steps = new Map<string, string>()
    for (let i = 1; i < texts.length; i += 2) steps.set(texts[i - 1] ?? '', texts[i] ?? '')
    return steps
  }

  async function writeStep(claim: Claim, step: string, json: string): Promise<void> {
    requireClaim(claim)
    withSteps.add(claim)
    const names = [keys.record(claim), keys.steps(claim)]
    const reply = await run(WRITE_STEP, names, [claim.token, step, json, retainMs]).catch(rethrow)
    if (reply === 0) throw new IdempotencyError('lost', 'another holder has the claim of the step')
  }

  return {
    name: 'redis',
    isDurable: false,
    needsTransaction: false,
    withdraws: true,
    begin,
    complete,
    async release(claim) {
      requireClaim(claim)
      await run(RELEASE, [keys.record(claim)], [claim.token]).catch(rethrow)
    },
    renew,
    readSteps,
    writeStep,
    check: () => checkWrites(redis).catch(rethrow),
  }
}

/** @throws IdempotencyError `unknown-format` */
function readRecord(value: unknown): Buffer {
  if (Buffer.isBuffer(value) && value[0] === FORMAT_BYTE && value.length >= RECORD_OFFSET) {
    return value.subarray(RECORD_OFFSET)
  }
  const format = Buffer.isBuffer(value) ? value.toString('latin1', 0, 1) : String(value)
  const message = `the record in Redis has format ${JSON.stringify(format)}, and this release reads ${FORMAT}`
  throw new IdempotencyError('unknown-format', message)
}

/** Whether Redis may have executed the call, or may still do so. */
function isUndecided(error: unknown): boolean {
  return error instanceof RedisError && error.code === 'timeout'
}

function rethrow(error: unknown): never {
  throw toStoreError(error)
}

function toStoreError(error: unknown): unknown {
  if (!(error instanceof RedisError) || error.code === 'bad-option') return error
  if (error.code === 'defect') {
    return new IdempotencyError('defect', 'Redis refused a script as wrong', { cause: error })
  }
  return new IdempotencyError('unavailable', `Redis did not decide: ${error.message}`, {
    cause: error,
  })
}
