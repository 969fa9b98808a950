import { createServer } from 'node:http'
import { expect } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import { createUpstream, type Upstream } from '../upstream/upstream.ts'
import { createDnsSource } from './dns-source.ts'
import { startDnsServer } from './dns.fixture.ts'

/** Starts a server on each address, all on one port, as containers have them. */
async function startInstances(addresses: readonly string[], closing: DisposableStack) {
  let port = 0
  const gates: (() => void)[] = []
  for (const address of addresses) {
    const server = createServer((req, res) => {
      if (req.url === '/held') gates.push(() => res.end(address))
      else res.end(address)
    })
    await new Promise<void>((resolve) => server.listen(port, address, resolve))
    const bound = server.address()
    if (bound !== null && typeof bound === 'object') port = bound.port
    closing.defer(() => {
      server.close()
      server.closeAllConnections()
    })
  }
  return {
    port,
    release: () => gates.splice(0).forEach((open) => open()),
    held: () => gates.length,
  }
}

const addressesOf = (upstream: Upstream) =>
  upstream.targets().map(({ origin }) => new URL(origin).hostname)

const [one, two, three] = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const

test('the addresses of a name are used as they change, and a request in flight on a removed one completes', async ({
  servers,
}) => {
  using closing = new DisposableStack()
  await using dns = await startDnsServer([one])
  const instances = await startInstances([one, two, three], closing)
  const targets = createDnsSource({
    origin: `http://auth:${instances.port}`,
    refreshMs: 10,
    lookup: dns.lookup,
  })
  const upstream = createUpstream({ name: 'auth', targets })
  const proxy = await servers.proxyOf(upstream)
  await until(() => upstream.targets().length === 1)
  const held = ask(proxy, { path: '/held' })
  await until(() => instances.held() === 1)

  dns.answer = [two, three]
  await until(() => addressesOf(upstream).join() === `${two},${three}`)
  const bodies = await Promise.all(Array.from({ length: 20 }, () => ask(proxy)))
  expect(new Set(bodies.map(({ body }) => body))).toEqual(new Set([two, three]))
  instances.release()
  expect(await held).toMatchObject({ status: 200, body: one })
  await upstream.close()
})

test('an error, an empty answer and one incomplete answer of DNS remove no address', async ({
  servers,
}) => {
  using closing = new DisposableStack()
  await using dns = await startDnsServer([one, two])
  const instances = await startInstances([one, two], closing)
  const answersOf = async (count: number) => {
    const before = dns.answers
    await until(() => dns.answers >= before + count)
  }
  const upstream = createUpstream({
    name: 'auth',
    targets: createDnsSource({
      origin: `http://auth:${instances.port}`,
      refreshMs: 10,
      lookup: dns.lookup,
    }),
  })
  const proxy = await servers.proxyOf(upstream)
  await until(() => upstream.targets().length === 2)
  dns.answer = 'error'
  await answersOf(6)
  expect(addressesOf(upstream)).toEqual([one, two])
  dns.answer = []
  await answersOf(6)
  expect(addressesOf(upstream)).toEqual([one, two])
  expect((await ask(proxy)).status).toBe(200)
  await upstream.close()
})

test('a name that does not resolve yet is a 503, and is used when it resolves', async ({
  servers,
}) => {
  using closing = new DisposableStack()
  await using dns = await startDnsServer([])
  const instances = await startInstances([one], closing)
  const upstream = createUpstream({
    name: 'auth',
    targets: createDnsSource({
      origin: `http://auth:${instances.port}`,
      refreshMs: 10,
      lookup: dns.lookup,
    }),
  })
  const proxy = await servers.proxyOf(upstream)
  expect(await ask(proxy)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  dns.answer = [one]
  await until(() => upstream.targets().length === 1)
  expect((await ask(proxy)).body).toBe(one)
  await upstream.close()
})
