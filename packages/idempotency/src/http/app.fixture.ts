import { type Context, Hono } from 'hono'
import type { Once } from '../index.ts'
import { createOnce, type OnceOptions } from '../index.ts'
import { memoryStore } from '../memory/memory-store.ts'
import { idempotency, type IdempotencyEnv, type IdempotencyOptions } from './hono.ts'

/** A request of a test: a POST of the user `ada` with the key `k-1`, unless it has others. */
export interface TestRequest extends Omit<RequestInit, 'headers'> {
  path?: string
  key?: string
  user?: string
  headers?: Record<string, string>
}

type Handler = (c: Context<IdempotencyEnv>) => Response | Promise<Response>

/** An app whose handler runs once for each key. The user is named by a header. */
export function createTestApp(
  handler: Handler,
  options: Partial<OnceOptions> & Partial<Omit<IdempotencyOptions, 'required'>> = {},
) {
  const { once: given, scope, fingerprint, maxBodyBytes, ...onceOptions } = options
  const once: Once = given ?? createOnce({ store: memoryStore(), ...onceOptions })
  const app = new Hono<IdempotencyEnv>()
  let runs = 0
  const middleware = idempotency({
    once,
    scope: scope ?? ((c) => c.req.header('x-user')),
    ...(fingerprint && { fingerprint }),
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
  })
  app.all('/*', middleware, (c) => {
    runs += 1
    return handler(c)
  })
  return {
    app,
    once,
    runs: () => runs,
    send(init: TestRequest = {}) {
      const { path = '/orders', key = 'k-1', user = 'ada', ...rest } = init
      const headers = { 'idempotency-key': key, 'x-user': user, ...rest.headers }
      return Promise.resolve(app.request(path, { method: 'POST', body: '{}', ...rest, headers }))
    },
    [Symbol.asyncDispose]: () => once.close(),
  }
}

/** The status of a response and its `Idempotency-Status`. */
export function describe(response: Response): string {
  return `${response.status} ${response.headers.get('idempotency-status') ?? ''}`.trim()
}
