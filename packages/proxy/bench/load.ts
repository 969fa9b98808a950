import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The eight headers of a browser that calls an API. */
const REQUEST = [
  'GET /api/payments?limit=20 HTTP/1.1',
  'Host: shop.example',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Accept: application/json',
  'Accept-Language: en-US,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br',
  'Cookie: session=abcdefghijklmnopqrstuvwxyz0123456789',
  'X-Request-Id: 0190f5fe-7c00-7a00-8000-000000000000',
  'Connection: keep-alive',
  '\r\n',
].join('\r\n')
const CONNECTIONS = 32

export interface Order {
  origin: string
  /** Requests of a closed loop, or arrivals per second and their time. */
  load: { requests: number } | { rate: number; ms: number }
}

/** Sockets that send one request at a time, and call back when its answer has come. */
async function openSockets(origin: string) {
  const { port } = new URL(origin)
  return Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(Number(port), '127.0.0.1').setNoDelay(true)
      await once(socket, 'connect')
      // A request on a closed connection would never be answered.
      socket.once('close', (hadError) => {
        if (hadError || !socket.writableEnded) throw new Error(`${origin} closed a connection`)
      })
      return socket
    }),
  )
}

function ask(socket: Socket, answered: () => void) {
  let read = ''
  socket.on('data', function receive(chunk: Buffer) {
    read += chunk.toString('latin1')
    if (!read.endsWith('"}')) return
    socket.off('data', receive)
    answered()
  })
  socket.write(REQUEST)
}

/** Each socket sends the next request when its last one was answered. @returns the number of requests */
async function closedLoop(sockets: Socket[], requests: number): Promise<number> {
  let left = requests
  await Promise.all(
    sockets.map(async (socket) => {
      while (left > 0) {
        left -= 1
        await new Promise<void>((resolve) => ask(socket, resolve))
      }
    }),
  )
  return requests
}

/**
 * Independent arrivals: exponential gaps that do not depend on responses. An arrival waits for a free socket.
 * This process does nothing else, so it watches the clock without a timer.
 */
async function openLoop(sockets: Socket[], rate: number, ms: number): Promise<number> {
  const free = [...sockets]
  const ended = Promise.withResolvers<void>()
  const gap = () => (-Math.log(1 - Math.random()) * 1_000) / rate
  const startedAtMs = performance.now()
  let dueAtMs = startedAtMs + gap()
  let arrived = 0
  let sent = 0
  let answered = 0
  function send() {
    while (sent < arrived) {
      const socket = free.pop()
      if (!socket) return
      sent += 1
      ask(socket, () => {
        answered += 1
        free.push(socket)
        send()
      })
    }
  }
  function turn() {
    while (dueAtMs <= performance.now() && dueAtMs < startedAtMs + ms) {
      arrived += 1
      dueAtMs += gap()
    }
    send()
    if (dueAtMs >= startedAtMs + ms && answered === arrived) ended.resolve()
    else setImmediate(turn)
  }
  turn()
  await ended.promise
  return answered
}

/** @returns the number of requests that were answered */
export async function runLoad({ origin, load }: Order): Promise<number> {
  const sockets = await openSockets(origin)
  const answered =
    'requests' in load
      ? await closedLoop(sockets, load.requests)
      : await openLoop(sockets, load.rate, load.ms)
  for (const socket of sockets) socket.end()
  return answered
}
