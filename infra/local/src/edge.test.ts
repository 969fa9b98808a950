import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@repo/embedded'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const WAIT = { timeout: 20_000, interval: 20 }

/** The requests that reached the instance behind the edge. */
const seen: string[] = []
/** The responses to `/api/held`, which wait. */
const held: ServerResponse[] = []
let instance: Server
let edge: ChildProcess
let port = 0
let metricsPort = 0

beforeAll(async () => {
  instance = createServer((req, res) => {
    if (req.url !== '/readyz') seen.push(`${req.method} ${req.url}`)
    if (req.url === '/api/held') held.push(res)
    else res.end('served')
  })
  instance.on('upgrade', (req: IncomingMessage, socket: Socket) => {
    seen.push(`WebSocket ${req.url}`)
    if (req.url === '/api/refused') {
      const refusal = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno'
      return socket.end(refusal)
    }
    const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accepted = createHash('sha1').update(key).digest('base64')
    return socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accepted}\r\n\r\nbytes of the instance`,
    )
  })
  instance.listen(0, '127.0.0.1')
  await once(instance, 'listening')
  const address = instance.address()
  const origin = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : ''
  port = await freePort()
  metricsPort = await freePort()
  const env = {
    ...process.env,
    EDGE_HOST: '127.0.0.1',
    EDGE_PORT: String(port),
    EDGE_METRICS_PORT: String(metricsPort),
    GATEWAY_URLS: origin,
    WEB_URLS: origin,
  }
  edge = spawn(process.execPath, [join(import.meta.dirname, 'edge.ts')], { env, stdio: 'inherit' })
  const isServing = () =>
    fetch(`http://127.0.0.1:${port}/api/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await vi.waitUntil(isServing, WAIT)
  seen.length = 0
}, 30_000)

afterAll(async () => {
  edge.kill()
  await once(edge, 'exit')
  instance.closeAllConnections()
  instance.close()
})

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

async function talk(bytes: string): Promise<string> {
  const socket = await open()
  socket.write(bytes)
  return text(socket.setEncoding('latin1'))
}

const methods = ['TRACE /', 'CONNECT a:1', 'PROPFIND /api', 'BREW /']

test.for(methods)('the edge refuses %s with a 405 problem, and forwards nothing', async (line) => {
  const answer = await talk(`${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1.1 405 /)
  expect(answer).toContain('urn:threefold:problem:unsupported-method')
  expect(seen).toEqual([])
})

test('the edge closes all but 64 of 250 slow heads of one address, and serves 100 other requests', async () => {
  const sockets = await Promise.all(Array.from({ length: 250 }, open))
  let closed = 0
  for (const socket of sockets) {
    socket.once('close', () => (closed += 1))
    socket.resume().write('GET / HTTP/1.1\r\nHost: a\r\n')
  }
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => fetch(`http://127.0.0.1:${port}/api/x`)),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
  await Promise.all(answers.map((answer) => answer.text()))
  await vi.waitUntil(() => closed >= 186, WAIT)
  for (const socket of sockets) socket.destroy()
}, 30_000)

test('the edge refuses a body that no endpoint accepts before it is read, and sends no 100', async () => {
  seen.length = 0
  const head = 'POST /api/payments HTTP/1.1\r\nHost: a\r\nContent-Length: 2097153\r\n'
  const answer = await talk(`${head}Expect: 100-continue\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1.1 413 /)
  expect(answer).toContain('application/problem+json')
  expect(answer).not.toContain('100 Continue')
  expect(seen).toEqual([])
})

const upgrade = (path: string, protocol: string) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: ${protocol}\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

test('the edge passes a WebSocket to a path of the gateway', async () => {
  seen.length = 0
  const answer = await talk(upgrade('/api/live', 'websocket'))
  expect(answer).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\nbytes of the instance$/)
  expect(seen).toEqual(['WebSocket /api/live'])
})

test.for([
  ['/api/live', 'h2c'],
  ['/live', 'websocket'],
] as const)('the edge serves %s with Upgrade: %s as a plain request', async ([path, protocol]) => {
  seen.length = 0
  expect(await talk(upgrade(path, protocol))).toMatch(/^HTTP\/1\.1 200 [^]*served/)
  expect(seen).toEqual([`GET ${path}`])
})

const PRIVATE = ['/metrics', '/livez', '/readyz', '/health'].flatMap((path) => [
  ...[path, `${path}?a=b`, `${path}/`, `${path}/?a`, `/${path}`, `${path}//`, `${path}/.`],
  ...[path.toUpperCase(), path.replace(/[a-z]/, (letter) => letter.toUpperCase())],
  ...[`/.${path}`, `/x/..${path}`, `/%2e${path}`, `/x/%2e%2e${path}`, `${path}%2f`, `${path}%00`],
  ...[`/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`, path.replace('/', '/\\')],
  ...[`${path.slice(0, -1)}%${path.charCodeAt(path.length - 1).toString(16)}`, path.slice(1)],
  ...[`http://a${path}`, path.replace('/', '%2f'), `//a${path}`, `${path}#x`, `${path}\t`],
])

test('the public port refuses every spelling of a path of an instance, and forwards none', async () => {
  expect(PRIVATE.length).toBeGreaterThanOrEqual(96)
  seen.length = 0
  for (const target of PRIVATE) {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const answer = await talk(
        `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      )
      expect([target, answer.slice(0, 12)]).toEqual([
        target,
        expect.stringMatching(/^HTTP\/1.1 40[04]$/),
      ])
      expect(answer).not.toContain('threefold_')
    }
  }
  expect(seen).toEqual([])
}, 30_000)

async function scrape(): Promise<string> {
  return (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
}

/** The requests that the edge counted with these labels, in any class of the status. */
function countOf(metrics: string, labels: string): number {
  const lines = metrics
    .split('\n')
    .filter((line) => line.startsWith('threefold_http_request_seconds_count{'))
    .filter((line) => line.includes(labels))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

test('the metrics of the edge count requests by the place of their path, and no label is a text of a client', async () => {
  const before = await scrape()
  await fetch(`http://127.0.0.1:${port}/api/payments/4711?secret=hunter2`)
  await fetch(`http://127.0.0.1:${port}/a/page/of/hunter2`)
  await fetch(`http://127.0.0.1:${port}/metrics`)
  await talk('GET /%zz-hunter2 HTTP/1.1\r\nHost: hunter2\r\nConnection: close\r\n\r\n')
  await talk('HUNTER2 / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const after = await vi.waitFor(async () => {
    const now = await scrape()
    expect(countOf(now, 'route="unmatched"')).toBe(countOf(before, 'route="unmatched"') + 2)
    return now
  }, WAIT)
  for (const labels of ['method="GET",route="/api/*"', 'method="GET",route="/*"']) {
    expect(countOf(after, labels), labels).toBe(countOf(before, labels) + 1)
  }
  expect(after).toMatch(/^threefold_http_responses_total\{status="405",app="edge",\S+ \d+$/m)
  expect(after).toMatch(/^threefold_instance_phase\{phase="ready",app="edge",\S+ 1$/m)
  expect(after).toMatch(/^threefold_build_info\{\S+ 1$/m)
  expect(after).toMatch(/^threefold_proxy_requests_total\{upstream="gateway",\S+ \d+$/m)
  expect(after).toContain('threefold_http_requests_in_flight{app="edge",instance="edge-1"} 0')
  expect(after.toLowerCase()).not.toMatch(/hunter2|4711/)
})

/** The responses that the edge counted, by status. */
function responsesOf(metrics: string): Record<string, number> {
  const lines = metrics.matchAll(/^threefold_http_responses_total\{status="(\d+)".*\} (\d+)$/gm)
  return Object.fromEntries(Array.from(lines, ([, status = '', count]) => [status, Number(count)]))
}

test('the edge counts each upgrade and each malformed body once, with the status that the client received', async () => {
  const before = responsesOf(await scrape())
  const chunked = 'POST /api/held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  for (const [bytes, status] of [
    [upgrade('/api/live', 'websocket'), 101],
    [upgrade('/api/refused', 'websocket'), 403],
    [chunked, 400],
  ] as const) {
    expect(await talk(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  }
  const isCounted = async () => {
    const now = responsesOf(await scrape())
    const statuses = new Set([...Object.keys(before), ...Object.keys(now)])
    const added = [...statuses].map((each) => [each, (now[each] ?? 0) - (before[each] ?? 0)])
    expect(Object.fromEntries(added.filter(([, count]) => count !== 0))).toEqual({
      ...{ 101: 1, 400: 1, 403: 1 },
    })
  }
  await vi.waitFor(isCounted, WAIT)
  held.length = 0
})

test('the port of the metrics serves nothing else', async () => {
  for (const path of ['/', '/metrics/', '/livez', '/api/me']) {
    const { status } = await fetch(`http://127.0.0.1:${metricsPort}${path}`)
    expect([path, status]).toEqual([path, 404])
  }
  const posted = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { method: 'POST' })
  expect(posted.status).toBe(404)
})

test('with 64 requests without a response the edge refuses further ones and handshakes at once while it lacks processor time, and none afterwards', async () => {
  const url = `http://127.0.0.1:${port}/api`
  const waiting: Promise<Response>[] = []
  // Fewer at a time than the heads of one address.
  for (const count of [32, 64]) {
    while (waiting.length < count) waiting.push(fetch(`${url}/held`))
    await vi.waitUntil(() => held.length === count, WAIT)
  }
  let refusal: Response | undefined
  async function send(): Promise<void> {
    const response = await fetch(`${url}/further`)
    const body = await response.clone().text()
    if (body.includes('The gateways have more requests')) refusal = response
  }
  let refusedHandshake = ''
  const sockets: Socket[] = []
  function shake(): void {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.on('data', (data) => {
      if (String(data).includes('The gateways have more requests')) refusedHandshake = String(data)
    })
    socket.write(upgrade('/api/live', 'websocket'))
    sockets.push(socket)
  }
  const further: Promise<void>[] = []
  // The edge runs for a few ms in each 30 ms.
  const pauses = setInterval(() => {
    further.push(send())
    shake()
    edge.kill('SIGSTOP')
    setTimeout(() => edge.kill('SIGCONT'), 25)
  }, 30)
  try {
    await vi.waitUntil(() => refusal !== undefined && refusedHandshake !== '', WAIT)
  } finally {
    clearInterval(pauses)
    setTimeout(() => edge.kill('SIGCONT'), 50)
  }
  expect(refusal?.status).toBe(503)
  expect(refusal?.headers.get('retry-after')).toBe('1')
  expect(refusedHandshake).toMatch(/^HTTP\/1\.1 503 /)
  for (const socket of sockets) socket.destroy()
  expect(refusal?.headers.get('content-type')).toBe('application/problem+json')
  expect(refusal?.headers.get('x-content-type-options')).toBe('nosniff')

  for (const res of held.splice(0)) res.end('served')
  const responses = await Promise.all(waiting)
  await Promise.all(further)
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]))
  await vi.waitUntil(async () => (await (await fetch(`${url}/further`)).text()) === 'served', WAIT)
}, 60_000)
