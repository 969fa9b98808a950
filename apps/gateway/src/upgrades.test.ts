import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectDatabase } from '@repo/database'
import { expect, test as base, until } from '@repo/testing'
import {
  addSession,
  checkIdentity,
  environment,
  ORIGIN,
  send,
  signedIn,
} from './gateway.fixture.ts'
import { serveEcho } from './upgrades.fixture.ts'

const program = new URL('upgrades-main.fixture.ts', import.meta.url)
const edge = new URL('../../../infra/local/src/edge.ts', import.meta.url)
const LIVE = '/api/payments/live'

const type = (name: string) => `urn:threefold:problem:${name}`

const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** Opens a WebSocket, or rejects if it is refused. */
async function open(url: string, path: string, headers: Record<string, string>) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers })
  const opened = once(socket, 'open')
  const failed = once(socket, 'error').then(() => {
    throw new Error('the WebSocket was refused')
  })
  await Promise.race([opened, failed])
  failed.catch(() => undefined)
  return socket
}

async function echo(socket: WebSocket, text: string): Promise<unknown> {
  const answered = once(socket, 'message')
  socket.send(text)
  const [message] = await answered
  return message.data
}

/** One user can have one WebSocket open. */
const limits = {
  policies: [{ name: 'open', quota: 1, windowMs: 60_000, by: 'user', algorithm: 'concurrency' }],
  routes: [{ path: LIVE, policies: ['open'] }],
}

/** A gateway with routes of WebSockets in front of an echo, and a signed-in user. */
const test = base.extend('site', async ({ replicas, databaseUrl, redisUrl }, { onCleanup }) => {
  const upstream = await serveEcho()
  const directory = await mkdtemp(join(tmpdir(), 'upgrades-'))
  onCleanup(async () => {
    await upstream[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })
  const file = join(directory, 'limits.json')
  await writeFile(file, JSON.stringify(limits))
  const user = await signedIn(databaseUrl)
  const settings = environment({ databaseUrl, redisUrl, upstream: upstream.origin })
  const env = { ...settings, LIMITS_FILE: file }
  const [gateway] = await replicas(1, { program, env, ready: '/readyz' })
  if (!gateway) throw new Error('no gateway')
  const ask = (path: string, headers: Record<string, string>) =>
    send(gateway.url, path, { headers: { ...HANDSHAKE, ...headers } })
  return { gateway, upstream, user, userHeaders: { origin: ORIGIN, cookie: user.cookie }, ask }
})

test('a WebSocket passes edge and gateway with the identity of its user, and a drain of the gateway ends it with 1012', async ({
  site,
  replicas,
}) => {
  const { gateway, upstream, user, userHeaders } = site
  const env = { EDGE_HOST: '127.0.0.1', GATEWAY_URLS: gateway.url, WEB_URLS: gateway.url }
  const [outside] = await replicas(1, { program: edge, env, ready: '/.edge/readyz' })
  const socket = await open(outside!.url, `${LIVE}?room=1`, {
    ...userHeaders,
    'x-identity-2': 'forged',
  })
  expect(await echo(socket, 'hello')).toBe('hello')
  const [seen] = upstream.seen
  expect(seen).toMatchObject({ isUpgrade: true, url: `${LIVE}?room=1` })
  expect(checkIdentity(seen!)).toMatchObject({ outcome: 'valid', identity: user.identity })
  expect(seen!.headers).not.toHaveProperty('cookie')

  const closed = once(socket, 'close')
  const ended = gateway.terminate()
  expect((await closed)[0]).toMatchObject({ code: 1_012, wasClean: true })
  expect(await ended).toBe(0)
  const lines = gateway.lines().map((line): Record<string, unknown> => JSON.parse(line))
  expect(lines.find(({ event }) => event === 'drain')).toMatchObject({ inFlight: 1 })
  expect(lines.filter(({ path }) => path === LIVE)).toEqual([
    expect.objectContaining({ event: 'request', status: 101 }),
  ])
})

test('a handshake with a session cookie from a page of another site is refused with 403, and reaches no upstream', async ({
  site: { upstream, user, ask },
}) => {
  const { cookie } = user
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
    { origin: 'http://localhost:9999', 'sec-fetch-site': 'same-site' },
    { origin: 'null' },
    {},
  ]
  for (const headers of foreign) {
    for (const path of [LIVE, '/api/auth/live']) {
      expect(await ask(path, { cookie, ...headers })).toMatchObject({
        status: 403,
        headers: { connection: 'close', 'x-instance-id': 'replica-1' },
        body: { type: type('cross-origin') },
      })
    }
  }
  expect(upstream.seen).toEqual([])
})

test('an administrator who acts for a user opens no WebSocket, also of an open service', async ({
  site: { gateway, upstream, user, ask },
  databaseUrl,
}) => {
  const admin = await signedIn(databaseUrl, 'admin')
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const { cookie } = await addSession(database, user.identity.userId, {
    impersonatedBy: admin.identity.userId,
    sourceSessionId: admin.identity.sessionId,
  })
  await database.close()
  for (const path of [LIVE, '/api/auth/live']) {
    expect(await ask(path, { origin: ORIGIN, cookie })).toMatchObject({
      status: 403,
      body: { type: type('impersonating') },
    })
    expect(upstream.seen).toEqual([])
    const socket = await open(gateway.url, path, { origin: ORIGIN, cookie: admin.cookie })
    expect(await echo(socket, 'hello')).toBe('hello')
    expect(upstream.seen.splice(0)).toMatchObject([{ isUpgrade: true, url: path }])
    socket.close()
  }
})

test('a handshake without a session, in a wrong spelling, with a body or of another version is a problem that no upstream receives', async ({
  site: { upstream, userHeaders, ask },
}) => {
  const signedOut = await ask(LIVE, { origin: ORIGIN })
  expect(signedOut).toMatchObject({ status: 401, body: { type: type('signed-out') } })
  const misspelt = await ask('/api//payments/live', userHeaders)
  expect(misspelt).toMatchObject({ status: 400, body: { type: type('misspelt-path') } })
  // The body never arrives.
  expect(await ask(LIVE, { ...userHeaders, 'content-length': '5' })).toMatchObject({
    status: 400,
    body: { type: type('bad-handshake') },
  })
  expect((await ask(LIVE, { origin: ORIGIN, 'content-length': '5' })).status).toBe(401)
  expect(await ask(LIVE, { ...userHeaders, 'sec-websocket-version': '8' })).toMatchObject({
    status: 426,
    headers: { 'sec-websocket-version': '13' },
    body: { type: type('bad-websocket-version') },
  })
  expect(upstream.seen).toEqual([])
})

test('a handshake on a route without WebSockets is a plain request', async ({
  site: { upstream, userHeaders, ask },
}) => {
  expect(await ask('/api/payments', userHeaders)).toMatchObject({
    status: 200,
    body: { plain: true },
  })
  expect(upstream.seen).toMatchObject([{ isUpgrade: false, url: '/api/payments' }])
  expect(upstream.seen[0]?.headers).not.toHaveProperty('upgrade')
  expect(await ask('/api/me', userHeaders)).toMatchObject({ status: 200 })
})

test('an open WebSocket holds its slot of a limit, and a closed or refused one holds none', async ({
  site: { gateway, userHeaders, ask },
}) => {
  // A slot that is not released is renewed. A release takes a round trip.
  const openSoon = async () => {
    const found: WebSocket[] = []
    await until(async () => {
      const socket = await open(gateway.url, LIVE, userHeaders).catch(() => undefined)
      if (socket) found.push(socket)
      return socket !== undefined
    })
    return found
  }
  expect((await ask(LIVE, { ...userHeaders, 'sec-websocket-version': '8' })).status).toBe(426)
  const [first] = await openSoon()
  expect((await ask(LIVE, userHeaders)).status).toBe(429)
  first?.close()
  await openSoon()
})
