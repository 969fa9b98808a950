import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { endReplicas, startReplicas, test } from '@repo/testing'
import { environment, ORIGIN, signedIn } from '../gateway.fixture.ts'
import { listen, type Listening } from '../servers.fixture.ts'

/** A gateway with the endpoints of the contract and `TIER_ONE`. */
export const program = new URL('gateway-main.fixture.ts', import.meta.url)

/** Its service commits the key with its work. */
export const TIER_TWO = '/api/payments'
/** The gateway alone runs a key once. */
export const TIER_ONE = '/api/payments/tier-one'

export interface KeyedAnswer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
  ms: number
}

export interface Post {
  cookie: string
  path?: string
  key?: string | undefined
  /** Several fields with the same name. */
  keys?: string[]
  body?: Buffer | string
  method?: string
  /** Breaks the connection. */
  signal?: AbortSignal
}

/** Sends one request with a key on a separate connection. */
export function post(
  url: string,
  { cookie, path = TIER_TWO, key, keys, body = '{"a":1}', method = 'POST', signal }: Post,
): Promise<KeyedAnswer> {
  const beganMs = performance.now()
  const fields = keys ?? (key === undefined ? undefined : key)
  return new Promise((resolve, reject) => {
    const req = request(url + path, {
      method,
      agent: false,
      ...(signal && { signal }),
      headers: {
        ...{ cookie, origin: ORIGIN, 'content-type': 'application/json' },
        ...(fields !== undefined && { 'idempotency-key': fields }),
      },
    })
    req.on('error', reject).on('response', (res) => {
      const { statusCode: status = 0, headers } = res
      buffer(res).then(
        (read) => resolve({ status, headers, body: read, ms: performance.now() - beganMs }),
        reject,
      )
    })
    req.end(body)
  })
}

export interface Call {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: Buffer
  res: ServerResponse
}

type Script = (call: Call, count: number) => void

/** Creates a numbered resource. */
const create: Script = ({ res }, count) => {
  res.writeHead(201, { 'content-type': 'application/json', 'x-instance-id': 'payments-1' })
  res.end(`{"count":${count}}`)
}

export interface Scripted extends Listening {
  /** The requests that reached it, in their order. */
  calls: Call[]
  /** Replaces its script, and forgets its calls. */
  run(script?: Script): void
  /** Ends it as a crash does: connections are reset. */
  crash(): void
}

/** A ready instance that responds as the script says. */
export async function serveScripted(first = create): Promise<Scripted> {
  let script = first
  const calls: Call[] = []
  const server = createServer((req, res) => {
    const { method = '', url = '', headers } = req
    if (url === '/readyz') return void res.end()
    buffer(req).then(
      (body) => {
        const call = { method, url, headers, body, res }
        return script(call, calls.push(call))
      },
      // The gateway aborted the request.
      () => res.destroy(),
    )
  })
  return {
    ...(await listen(server)),
    calls,
    run(next = create) {
      script = next
      calls.length = 0
    },
    crash() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Two gateways in front of a scripted upstream, and a user. The tests of a file share them. */
export const siteTest = test.extend(
  'site',
  { scope: 'file' },
  async ({ databaseUrl, redisUrl }, { onCleanup }) => {
    const upstream = await serveScripted()
    const { cookie } = await signedIn(databaseUrl)
    const env = environment({ databaseUrl, redisUrl, upstream: upstream.origin })
    const gateways = await startReplicas(2, { program, env, ready: '/readyz' })
    onCleanup(async () => {
      await endReplicas(gateways)
      await upstream[Symbol.asyncDispose]()
    })
    return { upstream, cookie, gateways, a: gateways[0]!.url, b: gateways[1]!.url }
  },
)
