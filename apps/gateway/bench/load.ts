import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const CONNECTIONS = 32

async function openSockets(origin: string): Promise<Socket[]> {
  const { port } = new URL(origin)
  return Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(Number(port), '127.0.0.1').setNoDelay(true)
      await once(socket, 'connect')
      return socket
    }),
  )
}

function requestOf(headers: readonly string[]): string {
  return ['GET /api/payments HTTP/1.1', 'Host: bench', ...headers, '', ''].join('\r\n')
}

/** Sends one request, and calls back after its response, which must be that of the origin. */
function send(socket: Socket, bytes: string, answered: (error?: Error) => void): void {
  let read = ''
  const broken = () => answered(new Error(`the connection ended: ${read.slice(0, 200)}`))
  socket.once('close', broken)
  socket.on('data', function receive(chunk: Buffer) {
    read += chunk.toString('latin1')
    if (!read.endsWith('"}')) return
    socket.off('data', receive).off('close', broken)
    answered(read.includes(' 200 OK') ? undefined : new Error(read.slice(0, 300)))
  })
  socket.write(bytes)
}

/** Each connection sends the next request after its last response. @returns the number of requests */
export async function closedLoop(origin: string, headers: readonly string[], requests: number) {
  const sockets = await openSockets(origin)
  const bytes = requestOf(headers)
  let left = requests
  await Promise.all(
    sockets.map(async (socket) => {
      while (left > 0) {
        left -= 1
        await new Promise<void>((resolve, reject) =>
          send(socket, bytes, (error) => (error ? reject(error) : resolve())),
        )
      }
      socket.removeAllListeners('close').destroy()
    }),
  )
  return requests
}

/** Independent arrivals with exponential gaps. An arrival waits for a free connection. */
export async function openArrivals(
  origin: string,
  headers: readonly string[],
  rate: number,
  ms: number,
): Promise<number> {
  const free = await openSockets(origin)
  const all = [...free]
  const bytes = requestOf(headers)
  const ended = Promise.withResolvers<void>()
  const gap = () => (-Math.log(1 - Math.random()) * 1_000) / rate
  const startedAtMs = performance.now()
  let dueAtMs = startedAtMs + gap()
  let [arrived, sent, answered] = [0, 0, 0]
  function sendWaiting() {
    while (sent < arrived) {
      const socket = free.pop()
      if (!socket) return
      sent += 1
      send(socket, bytes, (error) => {
        if (error) return ended.reject(error)
        answered += 1
        free.push(socket)
        sendWaiting()
      })
    }
  }
  function turn() {
    while (dueAtMs <= performance.now() && dueAtMs < startedAtMs + ms) {
      arrived += 1
      dueAtMs += gap()
    }
    sendWaiting()
    if (dueAtMs >= startedAtMs + ms && answered === arrived) ended.resolve()
    else setImmediate(turn)
  }
  turn()
  await ended.promise
  for (const socket of all) socket.removeAllListeners('close').destroy()
  return answered
}
