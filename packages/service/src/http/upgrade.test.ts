import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { currentRequest, type RequestContext } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { serve, talk } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'
import type { UpgradeHandler } from './server.ts'
import { acceptUpgrade, RESTART } from './upgrade.fixture.ts'

const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nX-Request-Id: sent-by-test\r\nConnection: Upgrade\r\n' +
  'Upgrade: websocket\r\n\r\n'

const plain = (_req: unknown, res: { end(text: string): unknown }) => res.end('plain')

const handlerOf = (changes: Partial<UpgradeHandler> = {}): UpgradeHandler => ({
  accepts: () => true,
  serve: (req, res, socket) => acceptUpgrade(req, res, socket),
  end: () => undefined,
  ...changes,
})

const upgrading = (handler?: UpgradeHandler) => serve(plain, undefined, undefined, handler)

test('an upgrade has the context of a request, is in flight until its socket is closed, and has one log line', async () => {
  const seen: unknown[] = []
  const sockets: Duplex[] = []
  await using http = await upgrading(
    handlerOf({
      serve(req, res, socket) {
        seen.push(currentRequest()?.id, req.headers['x-request-id'], req.headers['traceparent'])
        sockets.push(socket)
        acceptUpgrade(req, res, socket)
      },
    }),
  )
  const client = new WebSocket(`${http.url.replace('http', 'ws')}/ws?secret`)
  await once(client, 'open')
  expect(seen).toEqual([
    expect.any(String),
    seen[0],
    expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/),
  ])
  expect(http.inFlight()).toBe(1)
  http.closeSilent()
  expect(http.lines).toEqual([])

  sockets[0]?.end(RESTART)
  await once(client, 'close')
  await until(() => http.inFlight() === 0)
  expect(http.lines).toEqual([
    expect.objectContaining({ event: 'request', request: seen[0], path: '/ws', status: 101 }),
  ])
  expect(http.lines[0]).not.toHaveProperty('cut')
  // The time that a connection stays open is no latency.
  expect(await http.metrics.registry.metrics()).not.toContain('seconds_count')
})

test('an upgrade that the app does not accept is served as a plain request', async () => {
  const close = HANDSHAKE.replace('Upgrade\r\n', 'close, Upgrade\r\n')
  await using without = await upgrading()
  expect(await talk(without.url, close)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*plain/)
  await using refusing = await upgrading(handlerOf({ accepts: () => false }))
  expect(await talk(refusing.url, close)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*plain/)
  await using http = await upgrading(handlerOf())
  expect(await talk(http.url, close.replace('GET', 'PROPFIND'))).toMatch(/^HTTP\/1.1 405 /)
})

test('an error of an upgrade handler closes its connection only, and is logged', async () => {
  await using http = await upgrading(
    handlerOf({
      serve() {
        throw new Error('broken')
      },
    }),
  )
  expect(await talk(http.url, HANDSHAKE)).toBe('')
  expect(http.lines).toMatchObject([
    { event: 'error', err: { message: 'broken' } },
    { event: 'request', request: 'sent-by-test', path: '/ws', status: 499, cut: true },
  ])
  expect(http.inFlight()).toBe(0)
})

test.for([
  ['before its response', () => undefined, 499],
  ['after it was accepted', acceptUpgrade, 101],
] as const)(
  'an upgrade whose code fails %s, in a callback that no code awaits, loses its connection',
  async ([, respond, status]) => {
    const { promise: served, resolve } = Promise.withResolvers<RequestContext | undefined>()
    await using http = await upgrading(
      handlerOf({
        serve(req, res, socket) {
          respond(req, res, socket)
          resolve(currentRequest())
        },
      }),
    )
    const answer = talk(http.url, HANDSHAKE)
    const context = await served
    if (!context) throw new Error('the upgrade has no context')
    http.failRequest(context)
    expect(await answer).not.toContain(' 500 ')
    await until(() => http.inFlight() === 0)
    expect(http.lines).toMatchObject([{ event: 'request', path: '/ws', status }])
  },
)

test('an instance on SIGTERM ends open WebSockets with code 1012, and exits 0', async ({
  replicas,
  redisUrl,
}) => {
  const [replica] = await replicas(1, { program, env: settingsFor(redisUrl), ready: '/readyz' })
  const client = new WebSocket(`${replica!.url.replace('http', 'ws')}/ws`)
  await once(client, 'open')
  const closed = once(client, 'close')
  const ended = replica!.terminate()
  expect((await closed)[0]).toMatchObject({ code: 1_012, wasClean: true })
  expect(await ended).toBe(0)
  const lines = replica!.lines().map((line): Record<string, unknown> => JSON.parse(line))
  expect(lines.find(({ event }) => event === 'drain')).toMatchObject({ inFlight: 1 })
  expect(lines.filter(({ event, path }) => event === 'request' && path === '/ws')).toEqual([
    expect.objectContaining({ method: 'GET', status: 101, request: expect.any(String) }),
  ])
  expect(lines.find(({ event }) => event === 'exit')).toMatchObject({ outcome: 'drained' })
})
