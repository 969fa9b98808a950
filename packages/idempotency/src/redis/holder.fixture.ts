import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { createRenewedLeases } from '@repo/concurrency'
import { connectRedis } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import type { Begun, Claim, IdempotencyStore } from '../store.ts'
import type { redisStore } from './redis-store.ts'

export interface Opening {
  url: string
  /** The module of the store. */
  source: string
  skewMs: number
  deadlineMs: number
}

/** A request with a key. Each of its attempts has a new token. */
export interface Request {
  id: string
  fingerprint: string
  leaseMs: number
}

/** The clients of one key on one instance. Each sends its request until it has a response. */
export interface Competition extends Request {
  clients: number
  workMs: number
}

export interface Competed {
  /** The number of times that this instance ran the request. */
  executions: number
  /** The responses that the clients received. */
  responses: string[]
}

const TTL_MS = 3_600_000
const instance = process.env['INSTANCE_ID'] ?? ''
let store: IdempotencyStore
let held: Claim
let endRenewal: () => void

function newClaim({ id, fingerprint }: Request): Claim {
  return { id, fingerprint, token: randomBytes(16).toString('base64url') }
}

/** As `begin`. An outage is no result for a client, which sends its request again. */
async function beginOnce(claim: Claim, leaseMs: number): Promise<Begun | undefined> {
  try {
    return await store.begin(claim, leaseMs)
  } catch (error) {
    requireOutage(error)
    return undefined
  }
}

function requireOutage(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'unavailable')) throw error
}

async function compete({ clients, workMs, ...request }: Competition): Promise<Competed> {
  let executions = 0

  async function send(): Promise<string> {
    for (;;) {
      const claim = newClaim(request)
      const begun = await beginOnce(claim, request.leaseMs)
      if (begun?.outcome === 'completed') return begun.record.toString()
      if (begun?.outcome === 'mismatch') throw new Error('a mismatch of equal requests')
      if (begun?.outcome === 'claimed') {
        executions += 1
        const response = await execute(claim)
        if (response !== undefined) return response
      }
      await wait(20)
    }
  }

  /** Returns the response, unless it could not be stored or another holder runs the request. */
  async function execute(claim: Claim): Promise<string | undefined> {
    await wait(workMs)
    const response = `${instance}:${claim.token}`
    try {
      const completed = await store.complete(claim, Buffer.from(response), TTL_MS)
      if (completed.outcome === 'completed') return completed.record.toString()
      return completed.outcome === 'lost' ? undefined : response
    } catch (error) {
      requireOutage(error)
      return undefined
    }
  }

  const responses = await Promise.all(Array.from({ length: clients }, send))
  return { executions, responses }
}

serveReplica({
  async open({ url, source, skewMs, deadlineMs }: Opening) {
    const wall = Date.now
    Date.now = () => wall() + skewMs
    const library: { redisStore: typeof redisStore } = await import(source)
    const redis = connectRedis({ url, name: instance, deadlineMs })
    await redis.ready(30_000)
    store = library.redisStore({ redis })
  },
  compete,
  /** Claims the request, and renews the claim until it ends. */
  async hold(request: Request): Promise<Begun> {
    held = newClaim(request)
    const begun = await store.begin(held, request.leaseMs)
    if (begun.outcome !== 'claimed') return begun
    const leases = createRenewedLeases<Claim>({
      task: 'test.renew',
      renew: (claims, leaseMs) => store.renew(claims, leaseMs),
    })
    endRenewal = leases.hold(held, request.leaseMs)
    return begun
  },
  async complete(): Promise<{ outcome: string; response?: string }> {
    endRenewal()
    const completed = await store.complete(held, Buffer.from(`${instance}:${held.token}`), TTL_MS)
    if (completed.outcome !== 'completed') return completed
    return { outcome: 'completed', response: completed.record.toString() }
  },
  async release(): Promise<void> {
    endRenewal()
    await store.release(held)
  },
  /** Whether another holder has the claim. */
  async isLost(): Promise<boolean> {
    return (await store.renew([held], 60_000)).length > 0
  },
  /** The response of the held claim. */
  response: (): string => `${instance}:${held.token}`,
})
