import { expect } from 'vitest'
import { ask, deadOrigin, test, until } from '../servers.fixture.ts'
import type { TraceAttempt } from './attempt-trace.ts'

const OUTER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** Records the events of attempts. The attempt with number n sends a traceparent that ends with n. */
function record() {
  const events: unknown[] = []
  const trace: TraceAttempt = (origin, number) => {
    events.push(['begin', number, origin])
    return {
      traceparent: `${OUTER.slice(0, -4)}${number}-01`,
      head: (status, headers) => events.push(['head', number, status, headers['x-name']]),
      end: (outcome) => events.push(['end', number, outcome]),
    }
  }
  const ended = () => events.flat().filter((each) => each === 'end').length
  return { events, trace: () => trace, ended }
}

test('each attempt sends its traceparent, and is traced from its begin to its outcome', async ({
  servers,
}) => {
  const received: string[] = []
  const live = await servers.serve((req, res) => {
    received.push(...req.rawHeaders.filter((_, i, all) => all[i - 1] === 'traceparent'))
    res.writeHead(200, { 'X-Name': 'live-1' }).end('live')
  })
  const dead = await deadOrigin()
  const { events, trace, ended } = record()
  const proxy = await servers.serve(
    servers.handlerOf(servers.upstreamOf([dead, live]), { trace, deadlineMs: 9_000 }),
  )
  // The first instance is chosen at random.
  while (ended() < 2) {
    events.length = 0
    received.length = 0
    await ask(proxy, { headers: { traceparent: OUTER } })
    await until(() => ended() > 0)
  }
  expect(events).toEqual([
    ['begin', 1, dead],
    ['end', 1, 'refused'],
    ['begin', 2, live],
    ['head', 2, 200, 'live-1'],
    ['end', 2, 'ok'],
  ])
  expect(received).toEqual([`${OUTER.slice(0, -4)}2-01`])
})

test('a request that is not recorded sends its headers unchanged', async ({ servers }) => {
  const live = await servers.serve((req, res) => res.end(req.headers['traceparent'] ?? 'none'))
  const handler = servers.handlerOf(servers.upstreamOf([live]), { trace: () => undefined })
  const proxy = await servers.serve(handler)
  expect((await ask(proxy, { headers: { traceparent: OUTER } })).body).toBe(OUTER)
  expect((await ask(proxy)).body).toBe('none')
})

test('a request without a traceparent gets the one of its attempt', async ({ servers }) => {
  const live = await servers.serve((req, res) => {
    res.end(`${String(req.headers['traceparent'])} ${String(req.headers['x-request-deadline'])}`)
  })
  const { trace } = record()
  const options = { trace, deadlineMs: 9_000 }
  const proxy = await servers.serve(servers.handlerOf(servers.upstreamOf([live]), options))
  const { body } = await ask(proxy)
  expect(body).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{15}1-01 \d+$/)
})

test('an attempt that the client gave up ends as aborted', async ({ servers }) => {
  const silent = await servers.serve(() => undefined)
  const { events, trace, ended } = record()
  const proxy = await servers.serve(servers.handlerOf(servers.upstreamOf([silent]), { trace }))
  const client = ask(proxy, { signal: AbortSignal.timeout(200) }).catch(() => 'gone')
  expect(await client).toBe('gone')
  await until(() => ended() === 1)
  expect(events.at(-1)).toEqual(['end', 1, 'aborted'])
})

const fail = () => {
  throw new Error('a fault of the observer')
}

test.for(['begin', 'head', 'end'] as const)(
  'an error of %s in the trace of an attempt changes no response',
  async (faulty, { servers }) => {
    const live = await servers.serve((_req, res) => res.end('live'))
    const { trace } = record()
    const begin: TraceAttempt = (origin, number) => {
      if (faulty === 'begin') fail()
      const traced = trace()(origin, number)
      return traced && { ...traced, [faulty]: fail }
    }
    const options = { trace: () => begin }
    const proxy = await servers.serve(servers.handlerOf(servers.upstreamOf([live]), options))
    for (let n = 0; n < 3; n += 1) {
      expect(await ask(proxy)).toMatchObject({ status: 200, body: 'live' })
    }
  },
)
