import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { awakeMs } from '@repo/testing/awake-ms'

/**
 * An instance in its own process. Its responses follow `PUT /mode?status=500&delayMs=200`; its health
 * check is always 200 on `/readyz`.
 */
const INSTANCE = `
const { createServer } = require('node:http')
let [status, delayMs] = [200, 2]
const server = createServer((req, res) => {
  const url = new URL(req.url, 'http://instance')
  if (url.pathname === '/readyz') return res.end('ready')
  if (url.pathname === '/mode') {
    status = Number(url.searchParams.get('status') ?? status)
    delayMs = Number(url.searchParams.get('delayMs') ?? delayMs)
    return res.end()
  }
  req.resume()
  setTimeout(() => res.writeHead(status, { 'X-Pid': process.pid }).end('answer'), delayMs)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

export interface Instance extends AsyncDisposable {
  origin: string
  pid: string
  process: ChildProcess
  /** Changes the status and the latency of its responses. */
  behave(mode: { status?: number; delayMs?: number }): Promise<void>
}

/** Starts an instance in its own process, which ends with the test. */
export async function startInstance(): Promise<Instance> {
  const child = spawn(process.execPath, ['-e', INSTANCE], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line]: unknown[] = await once(child.stdout, 'data')
  const origin = `http://127.0.0.1:${Number(String(line))}`
  return {
    origin,
    pid: String(child.pid),
    process: child,
    async behave(mode) {
      const query = new URLSearchParams(
        Object.entries(mode).map(([name, value]) => [name, String(value)]),
      )
      await fetch(`${origin}/mode?${query.toString()}`, { method: 'PUT' })
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** One response as a client received it. */
export interface Sample {
  atMs: number
  /** Without the pauses of this process. */
  latencyMs: number
  status: number
  pid: string
}

/** Sends requests from a number of clients, one after the other each, while `shouldContinue`. */
export async function sendWhile(
  origin: string,
  clients: number,
  shouldContinue: (samples: readonly Sample[]) => boolean,
): Promise<Sample[]> {
  const samples: Sample[] = []
  async function client(): Promise<void> {
    while (shouldContinue(samples)) {
      const startedAwakeMs = awakeMs()
      const response = await fetch(origin)
      await response.arrayBuffer()
      const [atMs, latencyMs] = [performance.now(), awakeMs() - startedAwakeMs]
      const pid = response.headers.get('x-pid') ?? ''
      samples.push({ atMs, latencyMs, status: response.status, pid })
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return samples
}

/** Returns the latency below which a share of the samples lies. */
export function percentile(samples: readonly Sample[], share: number): number {
  const sorted = samples.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN
}
