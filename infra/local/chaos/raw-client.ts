import { connect, type Socket } from 'node:net'
import type { Client, Sample, Spec } from './load.ts'

export interface RawClient extends Client {
  /** Opens connections with one request each: Node accepts one connection in each turn of its event loop. */
  warm(connections: number, spec: Spec): Promise<void>
}

/** Below the heads of one address that the edge accepts at a time. */
const OPENED_AT_ONCE = 32

const TIMEOUT_MS = 20_000
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i

/**
 * A client of GET requests over sockets, which costs a quarter of one of node:http: under overload the
 * load has the same processors as the cluster. Responses need a Content-Length.
 */
export function createRawClient(
  origin: string,
  localAddress: string,
  maxSockets: number,
): RawClient {
  const { port, host } = new URL(origin)
  const free: Connection[] = []
  const all = new Set<Connection>()
  const waiting: Exchange[] = []

  function serve(exchange: Exchange): void {
    const connection = free.pop() ?? (all.size < maxSockets ? open() : undefined)
    if (connection) connection.send(exchange)
    else waiting.push(exchange)
  }

  function open(): Connection {
    const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress, noDelay: true })
    const connection = new Connection(socket, (isOpen) => {
      if (!isOpen) all.delete(connection)
      const next = waiting.shift()
      if (next && isOpen) connection.send(next)
      else if (next) serve(next)
      else if (isOpen) free.push(connection)
    })
    all.add(connection)
    socket.on('close', () => {
      const index = free.indexOf(connection)
      if (index >= 0) free.splice(index, 1)
    })
    return connection
  }

  return {
    close() {
      for (const connection of all) connection.socket.destroy()
    },
    send: (spec) =>
      new Promise((resolve) => {
        serve({ bytes: bytesOf(spec, host), atMs: performance.now(), resolve })
      }),
    async warm(connections, spec) {
      const bytes = bytesOf(spec, host)
      while (all.size < connections) {
        const batch = Array.from({ length: OPENED_AT_ONCE }, open)
        await Promise.all(
          batch.map(
            (connection) =>
              new Promise((resolve) => {
                connection.send({ bytes, atMs: performance.now(), resolve })
              }),
          ),
        )
      }
    },
  }
}

interface Exchange {
  bytes: string
  atMs: number
  resolve: (sample: Sample) => void
}

function bytesOf({ path, headers = {} }: Spec, host: string): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`)
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines.join('')}\r\n`
}

class Connection {
  readonly socket: Socket
  readonly #ended: (isOpen: boolean) => void
  #exchange: Exchange | undefined
  #text = ''

  /** @param ended a response ended, and whether the connection can be used again */
  constructor(socket: Socket, ended: (isOpen: boolean) => void) {
    this.socket = socket
    this.#ended = ended
    socket.setEncoding('latin1')
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
    socket.on('data', (chunk: string) => this.#read(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#finish(0, false))
  }

  send(exchange: Exchange): void {
    this.#exchange = exchange
    this.#text = ''
    this.socket.write(exchange.bytes, 'latin1')
  }

  #read(chunk: string): void {
    this.#text += chunk
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = LENGTH.exec(this.#text.slice(0, end + 2))?.[1]
    if (length === undefined) return void this.socket.destroy(new Error('no Content-Length'))
    if (this.#text.length < end + 4 + Number(length)) return
    this.#finish(Number(this.#text.slice(9, 12)), !this.socket.destroyed)
  }

  #finish(status: number, isOpen: boolean): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    if (exchange) {
      const ms = performance.now() - exchange.atMs
      const { atMs } = exchange
      const hadHead = status > 0
      exchange.resolve({ method: 'GET', atMs, status, ms, servedBy: '', body: '', hadHead })
    }
    this.#ended(isOpen)
  }
}
