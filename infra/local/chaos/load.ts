import { Agent, type OutgoingHttpHeaders, request } from 'node:http'

export interface Sample {
  method: string
  atMs: number
  /** 0 without a response. */
  status: number
  ms: number
  /** The last instance that contributed to the response. */
  servedBy: string
  body: string
  /** The head of the response arrived before the failure. */
  hadHead: boolean
}

export interface Spec {
  method?: string
  path: string
  headers?: OutgoingHttpHeaders
  body?: string | Buffer
}

export interface Client {
  send(spec: Spec): Promise<Sample>
  close(): void
}

const TIMEOUT_MS = 20_000

/**
 * A client with keep-alive connections that repeats no request. `localAddress` is its own address, so
 * that limits for each address of other clients do not apply to it.
 */
export function createClient(origin: string, localAddress: string, maxSockets = 256): Client {
  const agent = new Agent({ keepAlive: true, maxSockets })
  return {
    close: () => agent.destroy(),
    send({ method = 'GET', path, headers = {}, body }) {
      const atMs = performance.now()
      return new Promise((resolve) => {
        let sample: Sample = {
          method,
          atMs,
          status: 0,
          ms: 0,
          servedBy: '',
          body: '',
          hadHead: false,
        }
        const finish = (change: Partial<Sample>) => {
          sample = { ...sample, ...change, ms: performance.now() - atMs }
          resolve(sample)
        }
        const options = { agent, method, headers, localAddress, timeout: TIMEOUT_MS }
        const req = request(new URL(path, origin), options, (res) => {
          sample.hadHead = true
          sample.servedBy =
            String(res.headers['x-instance-id'] ?? '')
              .split(', ')
              .at(-1) ?? ''
          let text = ''
          res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          res.on('error', () => finish({ status: 0 }))
          res.on('end', () => finish({ status: res.statusCode ?? 0, body: text }))
        })
        req.on('timeout', () => req.destroy(new Error('no response in time')))
        req.on('error', () => finish({}))
        req.end(body)
      })
    },
  }
}

export interface Loop {
  samples: Sample[]
  /** Sends no more, and waits for the requests in flight. */
  stop(): Promise<Sample[]>
}

/** Independent arrivals at a fixed rate until it is stopped: an open loop. */
export function startLoop(client: Client, ratePerSecond: number, next: (n: number) => Spec): Loop {
  const samples: Sample[] = []
  const pending = new Set<Promise<void>>()
  const startedAtMs = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAtMs) / 1_000) * ratePerSecond
    for (; sent < due; sent += 1) {
      const one = send(next(sent))
      pending.add(one)
      void one.finally(() => pending.delete(one))
    }
  }, 2)
  async function send(spec: Spec) {
    samples.push(await client.send(spec))
  }
  return {
    samples,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      return samples
    },
  }
}

/** Callers that send their next request after the last response. Returns all responses. */
export async function closedLoop(
  client: Client,
  { callers, forMs, spec }: { callers: number; forMs: number; spec: Spec },
): Promise<Sample[]> {
  const endAtMs = performance.now() + forMs
  const samples: Sample[] = []
  async function call() {
    while (performance.now() < endAtMs) samples.push(await client.send(spec))
  }
  await Promise.all(Array.from({ length: callers }, call))
  return samples
}
