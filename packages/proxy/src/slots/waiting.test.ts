import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** An instance that holds its only slot until the test ends, after a request to /held. */
function holding() {
  const held: ServerResponse[] = []
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    if (req.url === '/held') held.push(res)
    else res.end('full')
  }
  return { held, listener }
}

/** Sends requests until the instance holds one. Another instance may respond to some of them. */
async function fill(proxy: string, held: ServerResponse[]): Promise<void> {
  while (held.length === 0) {
    const answer = ask(proxy, { path: '/held' }).catch(() => undefined)
    await Promise.race([answer, until(() => held.length === 1)])
  }
}

const waiting = (upstream: Upstream) => upstream.stats().waiting

/** A wait that ends only if an instance becomes usable. */
const options = { connections: 1, queueMs: 30_000 }

test('requests that wait for a full instance start when another one is ready again', async ({
  servers,
}) => {
  const { held, listener } = holding()
  let status = 503
  const other = await servers.serve((req, res) => {
    if (req.url === '/readyz') res.writeHead(status).end()
    else res.end('other')
  })
  const upstream = servers.upstreamOf([await servers.serve(listener), other], {
    ...options,
    healthCheck: { path: '/readyz', intervalMs: 10, timeoutMs: 5_000 },
  })
  const proxy = await servers.proxyOf(upstream)
  await until(() => upstream.targets()[1]?.state === 'down')
  await fill(proxy, held)
  const answers = [ask(proxy), ask(proxy), ask(proxy)]
  await until(() => waiting(upstream) === 3)
  status = 200
  for (const { body } of await Promise.all(answers)) expect(body).toBe('other')
  expect(held).toHaveLength(1)
})

test('a request that waits for a full instance starts when the ejection of another one ends', async ({
  servers,
}) => {
  const { held, listener } = holding()
  let isBroken = false
  const other = await servers.serve((req, res) => {
    if (isBroken) req.socket.destroy()
    else res.end('other')
  })
  const upstream = servers.upstreamOf([await servers.serve(listener), other], {
    ...options,
    ejection: { failures: 1, durationMs: 500 },
  })
  const proxy = await servers.proxyOf(upstream)
  await fill(proxy, held)
  isBroken = true
  expect((await ask(proxy)).status).toBe(502)
  isBroken = false
  expect(await ask(proxy)).toMatchObject({ status: 200, body: 'other' })
  expect(held).toHaveLength(1)
})

test('all requests that wait for a full instance start when another one with enough slots joins', async ({
  servers,
}) => {
  const { held, listener } = holding()
  const full = await servers.serve(listener)
  // It responds when all of them have started.
  const started: ServerResponse[] = []
  const other = await servers.serve((_req, res) => {
    if (started.push(res) < 3) return
    for (const each of started) each.end('other')
  })
  let join: (() => void) | undefined
  const upstream = servers.upstreamOf([], {
    ...options,
    connections: 3,
    targets: {
      follow(update) {
        update([full])
        join = () => update([full, other])
        return () => undefined
      },
    },
  })
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 3; i += 1) void ask(proxy, { path: '/held' }).catch(() => undefined)
  await until(() => held.length === 3)
  const answers = [ask(proxy), ask(proxy), ask(proxy)]
  await until(() => waiting(upstream) === 3)
  join?.()
  for (const { body } of await Promise.all(answers)) expect(body).toBe('other')
  expect(held).toHaveLength(3)
})
