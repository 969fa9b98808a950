import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { endpoints } from '@repo/api/endpoints'
import { expect, test, until } from '@repo/testing'
import { ask, environment, signedIn } from './gateway.fixture.ts'
import { createRoutes } from './routing/routes.ts'
import { services } from './upstreams/services.ts'

const program = new URL('main.ts', import.meta.url)
/** A part of each text that a client chooses. */
const MARK = 'hunter2'

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** All series of an instance. */
async function scrape(url: string): Promise<Sample[]> {
  const body = await (await fetch(`${url}/metrics`)).text()
  return body.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) return []
    const pairs = labels
      .matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)
      .map(([, key = '', written = '']) => [key, written])
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
  })
}

/** A service that responds with the status in the query of the request, or breaks the connection. */
async function serveStatuses() {
  const server = createServer((req, res) => {
    const status = Number(/[?&]status=(\d+)/.exec(req.url ?? '')?.[1] ?? 200)
    if (status === 0) return void req.socket.destroy()
    req.resume().on('end', () => res.writeHead(status).end('{}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.dispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function talk(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.end(bytes)
  return text(socket.setEncoding('latin1'))
}

test('a gateway has at most 900 series after every route, status, policy and hostile text, and no label is a text of a client', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  using upstream = await serveStatuses()
  const administrator = await signedIn(databaseUrl, 'admin')
  const env = environment({ databaseUrl, redisUrl, upstream: upstream.origin })
  const [gateway] = await replicas(1, { program, env, ready: '/readyz' })
  const { url } = gateway!

  for (const { method, path } of endpoints) {
    const target = path.replaceAll(/\{\w+\}/g, MARK)
    for (const headers of [{}, { cookie: administrator.cookie }, { 'x-api-key': MARK }]) {
      for (const status of [200, 302, 418, 503, 0]) {
        const body = method === 'GET' ? undefined : '{}'
        await fetch(`${url}${target}?status=${status}`, {
          ...{ method, redirect: 'manual', ...(body && { body }) },
          headers: { 'content-type': 'application/json', ...headers },
        }).then((response) => response.arrayBuffer())
      }
    }
    // A method that the path does not have.
    await ask(url, target, { method: 'PATCH', body: '{}' })
  }
  for (let i = 0; i < 200; i += 1) {
    await ask(url, `/api/${MARK}-${i}/${MARK}`, {
      method: ['GET', 'DELETE', 'OPTIONS'][i % 3],
      headers: {
        ...{ host: `${MARK}-${i}.example`, 'x-request-id': `${MARK}-${i}-000`, 'user-agent': MARK },
        ...{ traceparent: `00-${MARK}`, origin: `https://${MARK}-${i}.example` },
        ...{ 'x-forwarded-for': `192.0.2.${i}, ${MARK}`, cookie: `${MARK}=${MARK}` },
      },
    })
  }
  for (const head of [
    `${MARK.toUpperCase()} / HTTP/1.1`,
    `GET /%zz${MARK} HTTP/1.1`,
    `GET /\\${MARK} HTTP/1.1`,
    `PROPFIND /${MARK} HTTP/1.1`,
    `GET /${MARK} HTTP/9.9`,
    `GET /${'a'.repeat(20_000)} HTTP/1.1`,
    MARK,
  ]) {
    await talk(url, `${head}\r\nHost: ${MARK}\r\nConnection: close\r\n\r\n`)
  }
  await until(async () => {
    const served = (await scrape(url)).find(
      ({ name }) => name === 'threefold_http_requests_in_flight',
    )
    return served?.value === 0
  })

  const series = await scrape(url)
  expect(series.length).toBeLessThanOrEqual(900)
  expect(JSON.stringify(series).toLowerCase()).not.toContain(MARK)

  const routes = new Set(createRoutes(services, endpoints).all.map(({ match }) => match))
  const requests = series.filter(({ name }) => name === 'threefold_http_request_seconds_count')
  expect(requests.filter(({ labels }) => !isExpected(labels, routes))).toEqual([])
  const classes = new Set(requests.map(({ labels }) => labels['status_class']))
  expect(classes).toEqual(new Set(['2xx', '3xx', '4xx', '5xx']))
  const total = requests.reduce((sum, { value }) => sum + value, 0)
  expect(total).toBeGreaterThanOrEqual(endpoints.length * 16 + 200)

  const responses = series.filter(({ name }) => name === 'threefold_http_responses_total')
  const statuses = new Map(responses.map(({ labels, value }) => [labels['status'], value]))
  for (const status of ['200', '302', '400', '401', '404', '405', '418', '431', '502', '503']) {
    expect(statuses.get(status), status).toBeGreaterThan(0)
  }
})

function isExpected({ method, route = '' }: Record<string, string>, routes: ReadonlySet<string>) {
  if (route === 'unmatched' || route === 'other') return method === 'any'
  return routes.has(route) && ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method ?? '')
}
