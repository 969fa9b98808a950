import { createLog, noteRoute } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { ask, serve, type Served, talk } from '../http.fixture.ts'
import { createHono, listenerOf } from './hono.ts'

function createApp() {
  const log = createLog({ app: 'test', instance: 'test-1', version: '', level: 'silent' })
  const app = createHono({ log, maxBodyBytes: 100 })
  app.use('/api/*', async (_c, next) => next())
  app.get('/api/items/:id', (c) => c.text('item'))
  app.get('/api/items/:id{[0-9]+}/parts/:part?', (c) => c.text('part'))
  app.post(
    '/api/items',
    async (c, next) => next(),
    (c) => c.text('created', 201),
  )
  app.on(['GET', 'POST'], '/api/others/*', (c) => {
    if (c.req.path === '/api/others/one') noteRoute(c.req.path)
    return c.text('other')
  })
  app.get('/api/broken', () => {
    throw new Error('broken')
  })
  return app
}

/** The counted requests by method, route and class of the status. */
async function countsOf({ metrics }: Served): Promise<Record<string, number>> {
  const text = await metrics.registry.metrics()
  const counts = text.matchAll(
    /^threefold_http_request_seconds_count\{.*method="(.*?)",route="(.*?)",status_class="(.*?)"\} (\d+)$/gm,
  )
  return Object.fromEntries(
    counts.map(([, method, route, status, count]) => [
      `${method} ${route} ${status}`,
      Number(count),
    ]),
  )
}

test('a request is counted by the template of its route, whether it succeeds, fails or is refused', async () => {
  await using server = await serve(listenerOf(createApp()))
  const { url } = server
  for (const path of ['/api/items/7', '/api/items/8?a=b', '/api/items/7/parts/1'])
    await ask(url + path)
  await ask(`${url}/api/items/9`, { method: 'HEAD' })
  await ask(`${url}/api/items`, { method: 'POST', body: 'x' })
  await ask(`${url}/api/items`, { method: 'POST', body: 'x'.repeat(101) })
  for (const path of ['/api/others/one', '/api/others/two', '/api/broken']) await ask(url + path)
  const expected = {
    // HEAD counts as GET.
    'GET /api/items/{id} 2xx': 3,
    'GET /api/items/{id}/parts/{part} 2xx': 1,
    'POST /api/items 2xx': 1,
    'POST /api/items 4xx': 1,
    'GET /api/others/one 2xx': 1,
    'GET /api/others/* 2xx': 1,
    'GET /api/broken 5xx': 1,
  }
  await until(async () => Object.keys(await countsOf(server)).length === 7)
  expect(await countsOf(server)).toEqual(expected)
})

test('a path or method without a route, and a request that is refused before its route, are unmatched', async () => {
  await using server = await serve(listenerOf(createApp()))
  await ask(`${server.url}/api/hunter2`)
  await ask(`${server.url}/api/items/7`, { method: 'DELETE' })
  await ask(`${server.url}/hunter2`, { headers: { expect: 'hunter2' } })
  for (const line of ['TRACE /api/items/7', 'HUNTER /hunter2', 'GET hunter2 hunter2']) {
    await talk(server.url, `${line} HTTP/1.1\r\nHost: hunter2\r\nConnection: close\r\n\r\n`)
  }
  await until(async () => Object.values(await countsOf(server))[0] === 4)
  expect(await countsOf(server)).toEqual({ 'any unmatched 4xx': 4 })
  const text = await server.metrics.registry.metrics()
  expect(text).not.toMatch(/hunter/i)
  // The parser of node:http refuses an unknown method and a malformed line.
  expect(text).toMatch(/^threefold_http_responses_total\{status="405",.*\} 2$/m)
  expect(text).toMatch(/^threefold_http_responses_total\{status="417",.*\} 1$/m)
  expect(text).toMatch(/^threefold_http_responses_total\{status="400",.*\} 1$/m)
})

test('the route that a router before the app has set is not replaced', async () => {
  const listener = listenerOf(createApp())
  await using server = await serve((req, res) => {
    noteRoute('/api/*')
    return listener(req, res)
  })
  await ask(`${server.url}/api/items/7`)
  await until(async () => Object.keys(await countsOf(server)).length === 1)
  expect(await countsOf(server)).toEqual({ 'GET /api/* 2xx': 1 })
})
