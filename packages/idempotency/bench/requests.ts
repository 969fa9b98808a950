import { Hono, type MiddlewareHandler } from 'hono'

const WORKLOADS = ['first', 'replay'] as const
/** Each request has a new key; or one of the keys whose first call is complete. */
export type Workload = (typeof WORKLOADS)[number]

/** A library in front of the endpoint. */
export interface Guard {
  middleware: MiddlewareHandler
  close: () => Promise<unknown>
}

/** The keys of the replays. */
const REPLAYED_KEYS = 1_000
export const TTL_MS = 86_400_000
/** The user of each request. */
export const SCOPE = 'user-0123456789'

/** 250 bytes. */
export const REQUEST_BODY = fill({ account: 'acc_01HZX3', amount: 12_50, currency: 'EUR' }, 250)
/** 260 bytes. */
const RESPONSE = fill({ id: 'pay_01HZX3K5', status: 'accepted', amount: 12_50 }, 260)
export const RESPONSE_TEXT = JSON.stringify(RESPONSE)
const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' }

export function workloadOf(text: string): Workload {
  const found = WORKLOADS.find((workload) => workload === text)
  if (!found) throw new Error(`WORKLOAD must be one of ${WORKLOADS.join()}, and is "${text}"`)
  return found
}

/** A key that no other instance and no other run uses. */
export function createKeys() {
  const run = crypto.randomUUID().slice(0, 23)
  return (i: number) => `${run}-${String(i).padStart(12, '0')}`
}

/**
 * A payment endpoint of Hono behind a middleware, or behind none. A call whose response is not the
 * complete response rejects, and so does a replay that runs the handler.
 */
export function createPayments(workload: Workload, middleware?: MiddlewareHandler) {
  const app = new Hono()
  let executions = 0
  if (middleware) app.use(middleware)
  app.post('/payments', async (c) => {
    const { amount } = await c.req.json<{ amount: number }>()
    executions += 1
    return c.json({ ...RESPONSE, amount }, 201)
  })
  const keyOf = createKeys()
  const body = JSON.stringify(REQUEST_BODY)

  async function send(key: string): Promise<void> {
    const request = new Request('http://bench.test/payments', {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': key },
      body,
    })
    const response = await app.fetch(request)
    const { byteLength } = await response.arrayBuffer()
    if (response.status === 201 && byteLength === RESPONSE_TEXT.length) return
    throw new Error(`A request receives ${response.status} with ${byteLength} bytes`)
  }
  return {
    /** Sends the first calls of the keys that are replayed. */
    prepare: async (): Promise<void> => {
      if (workload === 'first' || !middleware) return
      for (let i = 0; i < REPLAYED_KEYS; i += 1) await send(keyOf(i))
    },
    run: async (i: number): Promise<void> => {
      if (workload === 'first' || !middleware) return send(keyOf(i))
      const before = executions
      await send(keyOf(i % REPLAYED_KEYS))
      if (executions !== before) throw new Error('A replay runs the handler')
    },
  }
}

function fill<T extends object>(fields: T, bytes: number): T & { note: string } {
  const empty = { ...fields, note: '' }
  return { ...empty, note: 'n'.repeat(bytes - JSON.stringify(empty).length) }
}
