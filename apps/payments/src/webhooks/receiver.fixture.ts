import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { freePort } from '@repo/testing'

interface Received {
  key: string
  id: string
  headers: IncomingMessage['headers']
  body: string
  method: string | undefined
  url: string | undefined
}

export interface TestReceiver extends AsyncDisposable {
  readonly url: string
  /** The requests in the order in which they arrived, also those that were not acknowledged. */
  readonly received: Received[]
  /** Replaces the response. It is 204 by default. */
  respond: (res: ServerResponse) => void
  /** Listens again on the same port. */
  up(): Promise<void>
  /** Closes all connections and refuses new ones. */
  down(): Promise<void>
}

/** A receiver of webhooks. */
export async function openReceiver(): Promise<TestReceiver> {
  const port = await freePort()
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const { headers, method, url } = req
      const body = Buffer.concat(chunks).toString()
      const [key, id] = [headers['idempotency-key'], headers['webhook-id']].map(String)
      receiver.received.push({ key: key ?? '', id: id ?? '', headers, body, method, url })
      receiver.respond(res)
    })
  })
  const receiver: TestReceiver = {
    url: `http://127.0.0.1:${port}/hook?token=not-for-logs`,
    received: [],
    respond: (res) => res.writeHead(204).end(),
    up: () => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve)),
    down: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    async [Symbol.asyncDispose]() {
      if (server.listening) await receiver.down()
    },
  }
  await receiver.up()
  return receiver
}
