import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { test as base } from 'vitest'
import type { Call } from './call.ts'
import type { ResponseHead } from './head.ts'
import { createTimeouts, Pool, type PoolOptions, type TimeoutOptions } from './pool.ts'
import type { ClientRequest, ResponseHandler } from './request.ts'

/** Records the events of one request, in order. */
export class Recorder implements ResponseHandler {
  readonly events: string[] = []
  body = ''
  error: unknown
  socket: Duplex | undefined
  call: Call | undefined
  readonly #ended = Promise.withResolvers<void>()
  readonly ended = this.#ended.promise

  onSent(): void {
    this.events.push('sent')
  }

  onInformation({ statusCode }: ResponseHead): void {
    this.events.push(`information ${statusCode}`)
  }

  onHead({ statusCode }: ResponseHead): void {
    this.events.push(`head ${statusCode}`)
  }

  onData(chunk: Buffer): void {
    this.body += chunk.toString('latin1')
  }

  onEnd(): void {
    this.events.push('end')
    this.#ended.resolve()
  }

  onUpgrade(_head: ResponseHead, socket: Duplex): void {
    this.events.push('upgrade')
    this.socket = socket
    socket.on('data', (chunk: Buffer) => (this.body += chunk.toString('latin1')))
    this.#ended.resolve()
  }

  onError(error: Error & { code?: string }): void {
    this.events.push(`error ${error.code}`)
    this.error = error
    this.#ended.resolve()
  }
}

/** An instance of raw sockets, with the bytes that each connection has sent. */
interface Instance {
  origin: string
  server: Server
  connections: { socket: Socket; received: string }[]
}

interface Pools {
  /** @param onRequest called for each read that ends a head, with its text */
  instance(onRequest: (socket: Socket, text: string, count: number) => void): Promise<Instance>
  poolOf(origin: string, options?: PoolOptions & TimeoutOptions): Pool
}

export function send(pool: Pool, request: Partial<ClientRequest> = {}): Recorder {
  const recorder = new Recorder()
  recorder.call = pool.send(
    { method: 'GET', path: '/', headers: [], body: null, ...request },
    recorder,
  )
  return recorder
}

export async function ask(pool: Pool, request?: Partial<ClientRequest>): Promise<Recorder> {
  const recorder = send(pool, request)
  await recorder.ended
  return recorder
}

export const test = base.extend<{ pools: Pools }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the names of the fixtures used here
  pools: async ({}, use) => {
    const closing: (() => void)[] = []
    await use({
      async instance(onRequest) {
        const connections: Instance['connections'] = []
        const server = createServer((socket) => {
          const connection = { socket, received: '' }
          connections.push(connection)
          let count = 0
          socket.on('error', () => undefined)
          socket.on('data', (bytes) => {
            connection.received += bytes.toString('latin1')
            if (!connection.received.includes('\r\n\r\n')) return
            count += 1
            onRequest(socket, bytes.toString('latin1'), count)
          })
        }).listen(0, '127.0.0.1')
        await once(server, 'listening')
        closing.push(() => {
          server.close()
          for (const { socket } of connections) socket.destroy()
        })
        const address = server.address()
        const port = typeof address === 'object' ? address?.port : 0
        return { origin: `http://127.0.0.1:${port}`, server, connections }
      },
      poolOf(origin, options) {
        const pool = new Pool(origin, { timeouts: createTimeouts(options ?? {}), ...options })
        closing.push(() => pool.destroy())
        return pool
      },
    })
    for (const close of closing.toReversed()) close()
  },
})
