import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { shareCallTraces } from '../server/call-trace.ts'
import { fetchFrom } from './gateways.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on TCP')
  return originOf(address)
}

function originOf({ port }: AddressInfo) {
  return `http://127.0.0.1:${port}`
}

/** The origin of a server that has stopped. */
async function stoppedOrigin(): Promise<string> {
  const origin = await serve((_req, res) => res.end())
  await new Promise((resolve) => servers.pop()?.close(resolve))
  return origin
}

test('requests go to each gateway in turn', async () => {
  const counts = [0, 0, 0]
  const origins = await Promise.all(
    counts.map((_, i) =>
      serve((_req, res) => {
        counts[i] = (counts[i] ?? 0) + 1
        res.end()
      }),
    ),
  )
  for (let i = 0; i < 9; i += 1) await fetchFrom(origins, '/', {})
  expect(counts).toEqual([3, 3, 3])
})

test('the same call of a page that makes as many calls as there are gateways goes to each of them', async () => {
  const counts = [0, 0, 0]
  const origins = await Promise.all(
    counts.map((_, i) =>
      serve((req, res) => {
        if (req.url === '/first') counts[i] = (counts[i] ?? 0) + 1
        res.end()
      }),
    ),
  )
  for (let page = 0; page < 9; page += 1) {
    for (const path of ['/first', '/second', '/third']) await fetchFrom(origins, path, {})
  }
  expect(counts).toEqual([3, 3, 3])
})

test('a gateway that refuses connections is skipped, also for a POST', async () => {
  const alive = await serve((_req, res) => res.end('here'))
  const dead = await stoppedOrigin()
  for (let i = 0; i < 4; i += 1) {
    const answer = await fetchFrom([dead, alive], '/', { method: 'POST', body: 'x' })
    expect(await answer.text()).toBe('here')
  }
})

test('a request that breaks off is sent to the next gateway if it is a GET or has an Idempotency-Key, and otherwise not', async () => {
  const seen: string[] = []
  const broken: RequestListener = (req) => {
    seen.push(`${req.method} ${String(req.headers['idempotency-key'])}`)
    req.socket.destroy()
  }
  const origins = await Promise.all([serve(broken), serve(broken)])
  const post = { method: 'POST', body: 'x' }
  await expect(fetchFrom(origins, '/', post)).rejects.toThrow('fetch')
  expect(seen).toEqual(['POST undefined'])
  await expect(fetchFrom(origins, '/', {})).rejects.toThrow('fetch')
  expect(seen.slice(1)).toEqual(['GET undefined', 'GET undefined'])
  const keyed = { ...post, headers: { 'idempotency-key': 'k' } }
  await expect(fetchFrom(origins, '/', keyed)).rejects.toThrow('fetch')
  expect(seen.slice(3)).toEqual(['POST k', 'POST k'])
})

test('each attempt of a recorded request sends its traceparent, and is traced to its outcome', async () => {
  const received: (string | string[] | undefined)[][] = []
  const live = await serve((req, res) => {
    received.push([req.headers['traceparent'], req.headers['x-trace-key'], req.headers['x-a']])
    res.writeHead(404, { 'x-instance-id': 'gateway-1' }).end()
  })
  const stopped = await stoppedOrigin()
  const events: unknown[] = []
  shareCallTraces({
    key: 'a key',
    current: () => (origin, number) => {
      events.push(['begin', number, origin])
      return {
        traceparent: `attempt ${number}`,
        head: (status, headers) => events.push(['head', status, headers['x-instance-id']]),
        end: (outcome) => events.push(['end', outcome]),
      }
    },
  })
  // Each round begins with another gateway.
  while (events.length < 5) {
    events.length = 0
    await fetchFrom([stopped, live], '/', { headers: { 'x-a': '1' } })
  }
  expect(events).toEqual([
    ['begin', 1, stopped],
    ['end', 'refused'],
    ['begin', 2, live],
    ['head', 404, 'gateway-1'],
    ['end', 'ok'],
  ])
  expect(received.at(-1)).toEqual(['attempt 2', 'a key', '1'])
  shareCallTraces({ key: undefined, current: () => undefined })
  await fetchFrom([live], '/', { headers: { traceparent: 'of the request' } })
  expect(received.at(-1)).toEqual(['of the request', undefined, undefined])
})
