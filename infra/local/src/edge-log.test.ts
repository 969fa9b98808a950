import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type Server,
} from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@repo/embedded'
import { afterEach, expect, test, vi } from 'vitest'

const WAIT = { timeout: 20_000, interval: 20 }
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function serve(listener: RequestListener): Promise<{ server: Server; origin: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return { server, origin: typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '' }
}

async function startEdge(origin: string, settings: Record<string, string> = {}) {
  const [port, metricsPort] = [await freePort(), await freePort()]
  const env = {
    ...{ PATH: process.env['PATH'], EDGE_HOST: '127.0.0.1', EDGE_PORT: String(port) },
    ...{ GATEWAY_URLS: origin, WEB_URLS: origin, EDGE_METRICS_PORT: String(metricsPort) },
    ...settings,
  }
  const program = join(import.meta.dirname, 'edge.ts')
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  closing.push(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const url = `http://127.0.0.1:${port}`
  const isServing = () =>
    fetch(`${url}/.edge/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  await vi.waitUntil(isServing, WAIT)
  return { child, url, exited, metrics: `http://127.0.0.1:${metricsPort}/metrics` }
}

function parse(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

test('the edge logs failed requests and the states of instances, one JSON object for each, and nothing to stderr', async () => {
  let isUp = true
  const { origin } = await serve((req, res) => {
    if (isUp) res.end('served')
    else req.socket.destroy()
  })
  const { child, url, exited } = await startEdge(origin)
  const errors = text(child.stderr)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const logs = (event: string) => parse(output).some((line) => line['event'] === event)

  expect((await fetch(`${url}/api/x?secret=1`)).status).toBe(200)
  isUp = false
  const headers = { 'x-request-id': 'sent-by-a-test' }
  expect((await fetch(`${url}/api/a%20b?secret=2`, { method: 'POST', headers })).status).toBe(502)
  const malformed = { 'x-request-id': 'a malformed id' }
  await fetch(`${url}/api/malformed`, { method: 'POST', headers: malformed })
  await vi.waitUntil(() => logs('upstream.down') || logs('upstream.ejected'), WAIT)
  isUp = true
  await vi.waitUntil(() => logs('upstream.healthy'), WAIT)
  child.kill('SIGTERM')
  expect((await exited)[0]).toBe(0)

  const lines = parse(output)
  for (const line of lines) {
    expect(line).toMatchObject({ app: 'edge', instance: 'edge-1', version: 'dev' })
    expect(line).toMatchObject({ level: expect.any(String), time: expect.stringMatching(/Z$/) })
  }
  expect(lines).toContainEqual(expect.objectContaining({ event: 'ready', level: 'info' }))
  expect(lines).toContainEqual(
    expect.objectContaining({
      ...{ event: 'upstream.problem', level: 'warn', code: 'upstream_reset', method: 'POST' },
      ...{ path: '/api/a%20b', request: 'sent-by-a-test' },
    }),
  )
  expect(lines).toContainEqual(expect.objectContaining({ event: 'drain', signal: 'SIGTERM' }))
  expect(lines.filter(({ event }) => event === 'request')).toEqual([])
  expect(output).not.toContain('secret')
  expect(output).not.toContain('a malformed id')
  expect(await errors).toBe('')
})

test('with EDGE_LOG_REQUESTS, each request has a line with the id and trace that the instance received', async () => {
  const received: (string | undefined)[] = []
  const { origin } = await serve((req, res) => {
    if (req.url !== '/readyz') received.push(String(req.headers['x-request-id']))
    res.setHeader('x-instance-id', 'web-2, gateway-1').end('served')
  })
  const { child, url, exited } = await startEdge(origin, { EDGE_LOG_REQUESTS: 'true' })
  const output = text(child.stdout)
  await fetch(`${url}/api/payments?secret=1`, {
    headers: { 'x-request-id': 'sent-by-a-test', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
  })
  await fetch(`${url}/sign-in`)
  await fetch(`${url}//sign-in`)
  child.kill('SIGTERM')
  await exited
  const lines = parse(await output).filter(({ event }) => event === 'request')
  expect(lines).toMatchObject([
    {
      ...{ request: 'sent-by-a-test', trace: TRACE, path: '/api/payments', status: 200, bytes: 6 },
      ...{ upstream: 'web-2', tries: 1, span: expect.stringMatching(/^[0-9a-f]{16}$/) },
    },
    { path: '/sign-in', status: 200, upstream: 'web-2' },
    { path: '//sign-in', status: 400 },
  ])
  expect(received).toEqual(['sent-by-a-test', lines[1]?.['request']])
})

test('with EDGE_LOG_REQUESTS, an upgrade has one line with the status that its client received', async () => {
  const { server, origin } = await serve((_req, res) => res.end('served'))
  server.on('upgrade', (_req, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno')
  })
  const { child, url, exited } = await startEdge(origin, { EDGE_LOG_REQUESTS: 'true' })
  const output = text(child.stdout)
  const [response]: IncomingMessage[] = await once(
    request(`${url}/api/live`, {
      agent: false,
      headers: {
        ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    }).end(),
    'response',
  )
  expect(response?.statusCode).toBe(403)
  await once(response!.resume(), 'close')
  child.kill('SIGTERM')
  await exited
  const lines = parse(await output).filter(({ event }) => event === 'request')
  expect(lines).toMatchObject([{ method: 'GET', path: '/api/live', status: 403, bytes: 2 }])
  expect(lines[0]).not.toHaveProperty('cut')
})

test('an edge without a reader of stdout serves 1,500 requests, counts lost lines and exits 0', async () => {
  const { origin } = await serve((_req, res) => res.end('served'))
  const { child, url, exited, metrics } = await startEdge(origin, { EDGE_LOG_REQUESTS: 'true' })
  for (let sent = 0; sent < 1_500; sent += 50) {
    const batch = Array.from({ length: 50 }, async () => {
      const signal = AbortSignal.timeout(20_000)
      const answer = await fetch(`${url}/api/${'x'.repeat(5_000)}`, { signal })
      return answer.text()
    })
    expect(new Set(await Promise.all(batch))).toEqual(new Set(['served']))
  }
  const scrape = await (await fetch(metrics)).text()
  const [, dropped] = /^threefold_log_dropped_lines_total\{.*\} (\d+)$/m.exec(scrape) ?? []
  expect(Number(dropped)).toBeGreaterThan(100)
  child.kill('SIGTERM')
  expect((await exited)[0]).toBe(0)
}, 60_000)

test('an edge that cannot listen exits 1 with one line on stderr and a fatal line in its log', async () => {
  const { origin } = await serve((_req, res) => res.end())
  const env = {
    ...{ PATH: process.env['PATH'], EDGE_HOST: '127.0.0.1', EDGE_PORT: new URL(origin).port },
    ...{ GATEWAY_URLS: origin, WEB_URLS: origin },
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'edge.ts')], { env })
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  expect([code, errors]).toEqual([
    1,
    expect.stringMatching(/^EDGE_HOST, EDGE_PORT: .*EADDRINUSE.*\n$/),
  ])
  expect(parse(output)).toContainEqual(
    expect.objectContaining({ level: 'fatal', event: 'boot.failed' }),
  )
})
