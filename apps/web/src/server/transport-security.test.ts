import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Listener, sendProblem } from '@repo/service'
import { expect, test } from 'vitest'
import { withTransportSecurity } from './transport-security.ts'

/** The forms in which Next and this app write a head. */
const listeners: Record<string, Listener> = {
  'a page': (_req, res) => res.setHeader('content-type', 'text/html').end('page'),
  'a redirect': (_req, res) => res.writeHead(303, { location: '/sign-in' }).end(),
  'a stream': (_req, res) => {
    res.flushHeaders()
    res.end('chunk')
  },
  'a refused form': (_req, res) => sendProblem(res, { status: 403, detail: 'Not from here.' }),
}

test.for(Object.entries(listeners))(
  'the response with %s has Strict-Transport-Security once if the site has https, and not otherwise',
  async ([, listener]) => {
    for (const [origin, expected] of [
      ['https://example.com', 'max-age=31536000'],
      ['https://example.com:8443', 'max-age=31536000'],
      ['http://localhost:8080', null],
    ] as const) {
      const handler = withTransportSecurity(origin, listener)
      const server = createServer((req, res) => void handler(req, res)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      const port = typeof address === 'object' ? address?.port : 0
      const { headers } = await fetch(`http://127.0.0.1:${port}`, { redirect: 'manual' })
      expect(headers.get('strict-transport-security')).toBe(expected)
      server.closeAllConnections()
      server.close()
    }
  },
)
