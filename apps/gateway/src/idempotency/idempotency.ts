import { createOnce, KEY_MISSING, type Once, parseKey } from '@repo/idempotency'
import { redisStore } from '@repo/idempotency/redis'
import type { Log } from '@repo/observability'
import type { RedisConnection } from '@repo/redis'
import { sendProblem } from '@repo/service'
import type { Stage } from '../request/run-stages.ts'
import type { Route } from '../routing/route.ts'
import { KeyedRequest, type KeyedRequestOptions, problemOfError } from './keyed-request.ts'

const HEADER = 'idempotency-key'
const HOUR_MS = 3_600_000

/**
 * Runs the keyed requests of all gateways once. A service that commits the key with its work has the
 * responses of a day, so Redis needs the recent ones only.
 */
export function createGatewayOnce({
  redis,
  routes,
  leaseMs,
  log,
}: {
  redis: RedisConnection
  routes: readonly Route[]
  leaseMs?: number | undefined
  log: Log
}): Once {
  const keyed = routes.filter(({ idempotency }) => idempotency !== 'none')
  const isStoredElsewhere = keyed.every(({ exactlyOnce }) => exactlyOnce)
  return createOnce({
    store: redisStore({ redis, log }),
    ttlMs: isStoredElsewhere ? HOUR_MS : 24 * HOUR_MS,
    ...(leaseMs !== undefined && { leaseMs }),
    log,
  })
}

/**
 * Returns the stage that reads `Idempotency-Key`. A malformed key is refused here. The proxy then holds
 * the request until its body is complete, and the key is claimed.
 */
export function createIdempotencyStage(options: KeyedRequestOptions): Stage {
  return (request) => {
    const { req, res, route } = request
    let key: string | undefined
    try {
      key = parseKey(req.headers[HEADER])
    } catch (error) {
      sendProblem(res, problemOfError(error))
      return 'done'
    }
    if (key !== undefined) {
      request.hold = new KeyedRequest(request, key, options)
      request.mayRepeat = route.exactlyOnce
      return 'next'
    }
    if (route.idempotency !== 'required') return 'next'
    sendProblem(res, KEY_MISSING)
    return 'done'
  }
}
