import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Listening extends AsyncDisposable {
  origin: string
}

/** Starts a server on a port of this machine. Its end breaks its connections. */
export async function listen(server: Server): Promise<Listening> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** A request that an upstream has received. */
export interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}

export interface Upstream extends Listening {
  /** The requests that reached it. */
  seen: Seen[]
}

/** A ready instance that stores the requests it receives. */
export async function serveUpstream(id: string): Promise<Upstream> {
  const seen: Seen[] = []
  const server = createServer((req, res) => {
    const { method = '', url = '', headers } = req
    res.setHeader('content-type', 'application/json').setHeader('x-instance-id', id)
    void answer(req, res, (body) => seen.push({ method, url, headers, body }))
  })
  return { ...(await listen(server)), seen }
}

async function answer(req: IncomingMessage, res: ServerResponse, store: (body: string) => void) {
  try {
    const body = await text(req)
    if (req.url !== '/readyz') store(body)
    res.end('{"up":true}')
  } catch {
    // The gateway aborted the request.
    res.destroy()
  }
}
