import { once } from 'node:events'
import { type Socket, connect, createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@repo/embedded'
import { until } from '../until.ts'

export interface TcpProxy {
  readonly port: number
  /** The target's URL by way of the proxy. */
  readonly url: string
  /** Every byte takes this much longer, each way. */
  delay(ms: number): void
  /** Closes all connections and refuses new ones. */
  cut(): Promise<void>
  /** Accepts connections, leaves them open and drops every byte, like a peer that lost its network. */
  halfOpen(): void
  /** Forwards again, without delay; connections that may have lost bytes are closed. */
  heal(): Promise<void>
  /** New connections lead to another server; those that are open stay where they are. */
  retarget(target: string): void
  /** How many clients are connected. */
  connections(): number
  close(): Promise<void>
}

export interface TcpProxyOptions {
  target: string | { host: string; port: number }
}

/** A TCP proxy in front of a server: the network between it and its clients, to be broken. */
export async function startTcpProxy({ target }: TcpProxyOptions): Promise<TcpProxy> {
  const url = new URL(typeof target === 'string' ? target : `tcp://${target.host}:${target.port}`)
  let origin = { host: url.hostname, port: Number(url.port) }
  const port = await freePort()
  url.host = `127.0.0.1:${port}`
  const clients = new Set<Socket>()
  const upstreams = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(origin)
    track(client, clients)
    track(upstream, upstreams)
    relay(client, upstream)
    relay(upstream, client)
  })
  let delayMs = 0
  let dropping = false

  function relay(from: Socket, to: Socket) {
    let tail = Promise.resolve()
    function forward(act: () => void) {
      if (!dropping) tail = inTurn(tail, performance.now() + delayMs, act)
    }
    from.on('data', (bytes) => forward(() => to.write(bytes)))
    from.on('end', () => forward(() => to.end()))
    from.on('close', () => forward(() => to.destroy()))
  }

  async function inTurn(before: Promise<void>, dueMs: number, act: () => void) {
    await before
    // A timer takes whole milliseconds, and may fire one early.
    while (performance.now() < dueMs) await wait(Math.ceil(dueMs - performance.now()))
    if (!dropping) act()
  }

  function closeAll() {
    for (const socket of [...clients, ...upstreams]) socket.destroy()
  }

  async function listen() {
    if (server.listening) return
    // While the proxy refuses connections, a search for a free port may hold its port for a moment.
    await until(() => {
      server.listen(port, '127.0.0.1')
      return once(server, 'listening')
    })
  }

  async function cut() {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    closeAll()
    await closed
  }

  await listen()
  return {
    port,
    url: url.href,
    cut,
    close: cut,
    delay(ms) {
      delayMs = ms
    },
    halfOpen() {
      dropping = true
    },
    async heal() {
      if (dropping) closeAll()
      dropping = false
      delayMs = 0
      await listen()
    },
    retarget(other) {
      const { hostname: host, port: otherPort } = new URL(other)
      origin = { host, port: Number(otherPort) }
    },
    connections: () => clients.size,
  }
}

function track(socket: Socket, open: Set<Socket>) {
  open.add(socket)
  socket.setNoDelay()
  socket.on('close', () => open.delete(socket))
  // A reset is passed on by `close`, which follows.
  socket.on('error', () => undefined)
}
