import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@repo/embedded'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const WAIT = { timeout: 20_000, interval: 20 }

/** The requests that reached the instance behind the edge. */
const seen: string[] = []
let instance: Server
let edge: ChildProcess
let port = 0

beforeAll(async () => {
  instance = createServer((req, res) => {
    if (req.url !== '/readyz') seen.push(`${req.method} ${req.url}`)
    res.end('served')
  })
  instance.listen(0, '127.0.0.1')
  await once(instance, 'listening')
  const address = instance.address()
  const origin = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : ''
  port = await freePort()
  const env = {
    ...process.env,
    EDGE_HOST: '127.0.0.1',
    EDGE_PORT: String(port),
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
