import { createServer, type IncomingMessage } from 'node:http'
import { createProxy, createUpstream } from '@repo/proxy'

/**
 * The load balancer of the local cluster: spreads requests over the gateway instances (`/api`,
 * `/.well-known`) and over the web instances (all else), without stickiness. In compose files and
 * in production HAProxy, or whatever you have, stands in its place.
 */
const {
  EDGE_HOST = '127.0.0.1',
  EDGE_PORT = '8080',
  GATEWAY_URLS = '',
  WEB_URLS = '',
} = process.env
const EDGE_READY = '/.edge/readyz'

const healthCheck = { path: '/readyz', intervalMs: 250, timeoutMs: 2_000 }
const gateway = createUpstream({ name: 'gateway', targets: GATEWAY_URLS.split(','), healthCheck })
const web = createUpstream({ name: 'web', targets: WEB_URLS.split(','), healthCheck })

function isApi({ url = '/' }: IncomingMessage): boolean {
  return /^\/(api|\.well-known)(\/|\?|$)/.test(url)
}

/** The instances' own: never reachable from outside. */
function isPrivate({ url = '/' }: IncomingMessage): boolean {
  return /^\/(metrics|livez|readyz|health)(\?|$)/.test(url)
}

const forward = createProxy({
  upstream: (req) => (isPrivate(req) ? undefined : isApi(req) ? gateway : web),
  forwarded: 'set',
})

const server = createServer({ keepAliveTimeout: 65_000 }, (req, res) => {
  if (req.url === EDGE_READY) res.end('ready')
  else if (isPrivate(req)) res.writeHead(404).end()
  else forward(req, res)
})

server.listen(Number(EDGE_PORT), EDGE_HOST)

process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  sweep.unref()
})
