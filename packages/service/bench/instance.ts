/**
 * The instance processes of the bench: a server of node:http, the server of an instance with and
 * without its log, and a signed identity. Client and server are one process, so only the differences
 * between servers count.
 */
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { createLineOutput, createLog, createMetrics, type Log } from '@repo/observability'
import { type Contender, serveContenders } from '@repo/testing/bench'
import { createInstanceServer, type Listener } from '../src/http/server.ts'
import { createIdentities, NO_BODY } from '../src/index.ts'

const BODY = JSON.stringify({ message: 'x'.repeat(500) })
const REQUEST = `GET /api/hello HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n`

const listener: Listener = (_req, res) => {
  res.setHeader('Content-Type', 'application/json').setHeader('Content-Length', BODY.length)
  res.end(BODY)
}

async function requestsTo(server: Server): Promise<Contender> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  const { port } = address
  const free: Socket[] = []
  async function open(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    return socket
  }
  return {
    async run() {
      const socket = free.pop() ?? (await open())
      await new Promise<void>((resolve) => {
        let read = ''
        socket.on('data', function receive(chunk: Buffer) {
          read += chunk.toString('latin1')
          if (!read.endsWith('"}')) return
          socket.off('data', receive)
          resolve()
        })
        socket.write(REQUEST)
      })
      free.push(socket)
    },
    close() {
      for (const socket of free) socket.destroy()
      server.close()
    },
  }
}

function instanceServer(log: Log): Promise<Contender> {
  const { server } = createInstanceServer({
    instance: 'bench-1',
    log,
    ops: () => false,
    listener: () => listener,
    metrics: createMetrics({ app: 'bench', instance: 'bench-1' }),
  })
  return requestsTo(server)
}

const logOptions = { app: 'bench', instance: 'bench-1', version: '1' }
const request = {
  method: 'GET',
  target: '/api/hello',
  requestId: '01890a5d-ac96-774b-bcce-b302099a8057',
  clientIp: '192.0.2.1',
}
const user = {
  userId: '01890a5d-ac96-774b-bcce-b302099a8057',
  email: 'ada@threefold.test',
  role: 'user',
  sessionId: '01890a5d-ac96-774b-bcce-b302099a8058',
}
const identities = createIdentities({
  secret: 'a secret of at least thirty-two characters',
  upstream: 'bench',
  version1: 'refuse',
})

function sign(): string[] {
  const headers: string[] = []
  identities.sign(headers, user, request, NO_BODY)
  return headers
}

serveContenders({
  'node:http': () => requestsTo(createServer(listener)),
  'instance without its log': () => instanceServer(createLog({ ...logOptions, level: 'silent' })),
  instance() {
    const destination = createLineOutput({ fd: openSync('/dev/null', 'w'), onResume: () => {} })
    return instanceServer(createLog({ ...logOptions, destination }))
  },
  'sign an identity': () => ({ run: sign, batch: repeated(sign) }),
  'verify an identity': () => {
    const [name = '', signed = ''] = sign()
    const headers: Record<string, string> = {
      [name]: signed,
      'x-request-id': request.requestId,
      'x-client-ip': request.clientIp,
    }
    const { method, target } = request
    const received = { method, target, header: (each: string) => headers[each] }
    function verify() {
      if (identities.verify(received).outcome !== 'valid') throw new Error('not valid')
    }
    return { run: verify, batch: repeated(verify) }
  },
})

function repeated(run: () => unknown) {
  return (n: number) => {
    for (let i = 0; i < n; i += 1) run()
    return undefined
  }
}
