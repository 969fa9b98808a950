import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { createRenewedLeases } from '@repo/concurrency'
import { connectRedis } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import { claimIdOf, fingerprintOf } from '../fingerprint.ts'
import type { createOnce } from '../once.ts'
import { createRecordCodec } from '../record.ts'
import type { Begun, Claim, IdempotencyStore } from '../store.ts'
import type { Once, StoredResponse } from '../types.ts'
import type { redisStore } from './redis-store.ts'

export interface Opening {
  url: string
  /** The folder of the package. */
  source: string
  skewMs: number
  deadlineMs: number
}

/** A request with a key. Each of its attempts has a new token. */
export interface Request {
  key: string
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
const SCOPE = 'user'
const instance = process.env['INSTANCE_ID'] ?? ''
const fingerprint = fingerprintOf({ method: 'POST', target: '/orders', body: Buffer.from('{}') })
const codec = createRecordCodec(1_000, undefined)
let store: IdempotencyStore
let openOnce: (leaseMs: number) => Once
let held: Claim
let endRenewal: () => void

function newResponse(text: string): StoredResponse {
  return { status: 201, headers: [], body: Buffer.from(`${instance}:${text}`) }
}

async function compete({ key, leaseMs, clients, workMs }: Competition): Promise<Competed> {
  const once = openOnce(leaseMs)
  let executions = 0

  async function work(): Promise<StoredResponse> {
    executions += 1
    const response = newResponse(`${key}:${executions}`)
    await wait(workMs)
    return response
  }

  async function send(): Promise<string> {
    for (;;) {
      const finished = await once.run({ scope: SCOPE, key, fingerprint }, work).catch(ignoreRefusal)
      if (finished?.outcome === 'mismatch') throw new Error('a mismatch of equal requests')
      if (finished && finished.outcome !== 'conflict') return finished.response.body.toString()
      await wait(20)
    }
  }

  const responses = await Promise.all(Array.from({ length: clients }, send))
  return { executions, responses }
}

/** A client sends its request again after a 503, and after a 409 of an attempt that was fenced. */
function ignoreRefusal(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'unavailable' && code !== 'lost') throw error
}

serveReplica({
  async open({ url, source, skewMs, deadlineMs }: Opening) {
    const wall = Date.now
    Date.now = () => wall() + skewMs
    const library: { createOnce: typeof createOnce } = await import(`${source}/index.ts`)
    const stores: { redisStore: typeof redisStore } = await import(`${source}/redis/redis-store.ts`)
    const redis = connectRedis({ url, name: instance, deadlineMs })
    await redis.ready(30_000)
    store = stores.redisStore({ redis })
    const opened = new Map<number, Once>()
    openOnce = (leaseMs) => {
      const once = opened.get(leaseMs) ?? library.createOnce({ store, leaseMs })
      opened.set(leaseMs, once)
      return once
    }
  },
  compete,
  /** Claims the request, and renews the claim until it ends. */
  async hold(request: Request): Promise<Begun> {
    const token = randomBytes(16).toString('base64url')
    held = { id: claimIdOf(SCOPE, request.key), fingerprint, token }
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
    const record = codec.encode(held.id, newResponse(held.token))
    const completed = await store.complete(held, record, TTL_MS)
    if (completed.outcome !== 'completed') return completed
    const response = codec.decode(held.id, completed.record).body.toString()
    return { outcome: 'completed', response }
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
