import { once } from 'node:events'
import { createServer } from 'node:http'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { createProxy, createUpstream, type UpstreamEvent } from './index.ts'

/** An instance in another thread, which continues while the proxy is paused. */
const INSTANCE = `
const { createServer } = require('node:http')
const { parentPort } = require('node:worker_threads')
const server = createServer((req, res) => setTimeout(() => res.end('answer'), 20))
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`

async function startInstance() {
  const worker = new Worker(INSTANCE, { eval: true })
  const [port]: unknown[] = await once(worker, 'message')
  return {
    origin: `http://127.0.0.1:${Number(port)}`,
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}

/** A client in another thread: it sends 200 requests, before, during and after the pauses. */
const CLIENT = `
const { parentPort, workerData } = require('node:worker_threads')
const statuses = []
let left = 200
async function send() {
  while (left > 0) {
    left -= 1
    const response = await fetch(workerData).catch((error) => ({ status: String(error) }))
    statuses.push(response.status)
    await response.text?.()
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
Promise.all([send(), send(), send(), send()]).then(() => parentPort.postMessage(statuses))`

test('a paused proxy ejects no healthy instance, and fails none of 200 requests', async () => {
  await using one = await startInstance()
  await using two = await startInstance()
  const events: UpstreamEvent[] = []
  const upstream = createUpstream({
    name: 'healthy',
    targets: [one.origin, two.origin],
    // Shorter than the pauses, so each pause exceeds it in real time.
    healthCheck: { path: '/', intervalMs: 10, timeoutMs: 200 },
    connectTimeoutMs: 300,
    ejection: { failures: 1 },
    onEvent: (event) => void events.push(event),
  })
  const server = createServer(createProxy({ upstream })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const client = new Worker(CLIENT, { eval: true, workerData: `http://127.0.0.1:${port}/` })
  const pauses = setInterval(() => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  }, 600)
  try {
    const [statuses]: unknown[] = await once(client, 'message')
    expect(statuses).toEqual(Array.from({ length: 200 }, () => 200))
    expect(events).toEqual([])
  } finally {
    clearInterval(pauses)
    await client.terminate()
    server.closeAllConnections()
    server.close()
    await upstream.close()
  }
})
