import {
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type RequestOptions,
  type Server,
} from 'node:http'
import { connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { test as base, vi } from 'vitest'
import { createProxy } from './proxy.ts'
import type { ProxyOptions } from './settings.ts'
import { createUpstream, type Upstream, type UpstreamOptions } from './upstream/upstream.ts'

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  rawHeaders: string[]
  body: string
}

/** Sends one request on a new connection. Rejects when the response breaks off. */
export function ask(
  origin: string,
  { path = '/', body, ...options }: RequestOptions & { path?: string; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, origin)
    const req = request(url, { agent: false, ...options }, (res) => {
      text(res).then(
        (read) =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            rawHeaders: res.rawHeaders,
            body: read,
          }),
        reject,
      )
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** Writes bytes to a socket, and reads until `last` or the end. */
export function talk(origin: string, bytes: string, last?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1', () => socket.write(bytes))
    let read = ''
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1')
      if (last && read.includes(last)) socket.destroy()
    })
    socket.on('close', () => resolve(read)).on('error', reject)
  })
}

/** Waits until a fact is true. */
export function until(fact: () => boolean, interval = 5): Promise<unknown> {
  return vi.waitUntil(fact, { timeout: 10_000, interval })
}

/** Returns an origin without a server. */
export async function deadOrigin(): Promise<string> {
  const server = createTcpServer()
  const origin = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return origin
}

async function listen(server: TcpServer | Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (!address || typeof address === 'string') throw new TypeError('not listening on TCP')
  return `http://127.0.0.1:${address.port}`
}

interface Servers {
  /** Starts an HTTP server and returns its origin. */
  serve(listener: RequestListener): Promise<string>
  /** Starts a server of raw sockets and returns its origin. */
  serveTcp(server: TcpServer): Promise<string>
  upstreamOf(targets: string[], options?: Partial<UpstreamOptions>): Upstream
  /** Returns the handler of a proxy. */
  handlerOf(upstream: Upstream, options?: Partial<ProxyOptions<void>>): RequestListener
  /** Starts a proxy for these origins and returns its origin. */
  proxyOf(targets: string[] | Upstream, options?: Partial<ProxyOptions<void>>): Promise<string>
}

export const test = base.extend<{ servers: Servers }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the names of the fixtures used here
  servers: async ({}, use) => {
    const closing: (() => unknown)[] = []

    async function serveTcp(server: TcpServer): Promise<string> {
      closing.push(() => server.close())
      return listen(server)
    }

    const servers: Servers = {
      serveTcp,
      async serve(listener) {
        const server = createServer(listener)
        closing.push(() => {
          server.close()
          server.closeAllConnections()
        })
        return listen(server)
      },
      upstreamOf(targets, options) {
        const upstream = createUpstream({ name: 'test', targets, ...options })
        closing.push(() => upstream.close())
        return upstream
      },
      handlerOf(upstream, options) {
        const handler = createProxy({ upstream, ...options })
        return (req, res) => handler(req, res)
      },
      proxyOf(targets, options) {
        const upstream = Array.isArray(targets) ? servers.upstreamOf(targets) : targets
        return servers.serve(servers.handlerOf(upstream, options))
      },
    }
    await use(servers)
    // Clients and proxies are closed first, because a server waits for its connections.
    for (const close of closing.toReversed()) void close()
  },
})
