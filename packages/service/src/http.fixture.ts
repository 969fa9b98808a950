import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type RequestOptions } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createLog, createMetrics, type SampleTrace } from '@repo/observability'
import type { CertificateFiles } from './http/certificate.ts'
import {
  createInstanceServer,
  type InstanceServer,
  type Listener,
  type UpgradeHandler,
} from './http/server.ts'

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

export interface Ask extends RequestOptions {
  body?: string
}

/** Sends one request, on a new connection unless an agent is given. Rejects when it breaks off. */
export function ask(url: string, { body, ...options }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, ...options }, (res) => {
      const { statusCode: status = 0, headers } = res
      text(res).then((read) => resolve({ status, headers, body: read }), reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** A client that reuses its one connection, as balancers do. */
export function keepAlive(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 })
}

export async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Writes bytes to a new connection, unchanged, and reads its bytes until it is closed. */
export async function talk(url: string, bytes: string): Promise<string> {
  const socket = await open(url)
  socket.write(bytes)
  return text(socket.setEncoding('latin1'))
}

export interface Served extends InstanceServer, AsyncDisposable {
  url: string
  /** The log, line by line. */
  lines: Record<string, unknown>[]
  metrics: ReturnType<typeof createMetrics>
}

/** Starts a server in this process and returns it with the lines of its log. */
export async function serve(
  listener: Listener,
  sampleTrace?: SampleTrace,
  certificateFiles?: CertificateFiles,
  upgrade?: UpgradeHandler,
): Promise<Served> {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const log = createLog({ app: 'test', instance: 'test-1', version: '', destination })
  const metrics = createMetrics({ app: 'test', instance: 'test-1' })
  const http = createInstanceServer({
    instance: 'test-1',
    log,
    metrics,
    ops: () => false,
    listener: () => listener,
    upgrade: () => upgrade,
    sampleTrace,
    certificateFiles,
  })
  http.server.listen(0, '127.0.0.1')
  await once(http.server, 'listening')
  const address = http.server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')
  return {
    ...http,
    url: `http://127.0.0.1:${address.port}`,
    lines,
    metrics,
    async [Symbol.asyncDispose]() {
      http.server.closeAllConnections()
      http.server.close()
      await once(http.server, 'close')
    },
  }
}
