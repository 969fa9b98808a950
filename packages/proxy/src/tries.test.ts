import { expect } from 'vitest'
import { ask, test, until } from './servers.fixture.ts'

test('onTry is called with the origin and the number of each try, also of one that has no response', async ({
  servers,
}) => {
  const cuts = () => servers.serve((req) => void req.socket.destroy())
  const targets = [await cuts(), await cuts()]
  const tries: string[] = []
  const proxy = await servers.proxyOf(servers.upstreamOf(targets), {
    onTry: (req, _context, origin, count) => tries.push(`${req.url} ${origin} ${count}`),
  })
  expect((await ask(proxy)).status).toBe(502)
  expect(tries.map((each) => each.split(' ')[2])).toEqual(['1', '2'])
  expect(new Set(tries.map((each) => each.split(' ')[1]))).toEqual(new Set(targets))
})

test('onTry is called before the response: a request that a client abandons has its instance', async ({
  servers,
}) => {
  const silent = await servers.serve(() => undefined)
  const tries: string[] = []
  const proxy = await servers.proxyOf([silent], {
    onTry: (_req, _context, origin) => tries.push(origin),
  })
  const abandoned = ask(proxy, { signal: AbortSignal.timeout(500) }).catch(() => 'abandoned')
  await until(() => tries.length === 1)
  expect(tries).toEqual([silent])
  expect(await abandoned).toBe('abandoned')
})

test('a request is served when onTry throws an error', async ({ servers }) => {
  const live = await servers.serve((_req, res) => res.end('live'))
  const proxy = await servers.proxyOf([live], {
    onTry: () => {
      throw new Error('a defect of the hook')
    },
  })
  expect(await ask(proxy)).toMatchObject({ status: 200, body: 'live' })
})
