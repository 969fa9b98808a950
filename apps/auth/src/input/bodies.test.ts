import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { listenerOf } from '@repo/service/hono'
import { expect, test } from '@repo/testing'
import { ORIGIN, openApp, PASSWORD, person, type TestApp } from '../auth.fixture.ts'

async function signUp(app: TestApp) {
  const user = person(randomUUID())
  const { status, cookie } = await app.ask('/sign-up/email', { body: user })
  expect(status).toBe(200)
  return { cookie, email: user.email }
}

async function validate({ sessions }: TestApp, cookie: string) {
  return (await sessions.validate(cookie)).outcome
}

test.for(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'a/jsonx'])(
  'a body that is declared as %s is refused at every endpoint, and changes nothing',
  async (type, { databaseUrl }) => {
    await using app = await openApp(databaseUrl)
    const { cookie, email } = await signUp(app)
    const bodies = {
      '/sign-in/email': { email, password: PASSWORD },
      '/sign-up/email': person('tom'),
      '/sign-out': {},
      '/change-password': { currentPassword: PASSWORD, newPassword: 'four-of-everything' },
      '/revoke-other-sessions': {},
      '/admin/set-role': { userId: 'x', role: 'admin' },
    }
    for (const [path, body] of Object.entries(bodies)) {
      const refused = await app.ask(path, { body, headers: { 'content-type': type, cookie } })
      expect({ path, ...refused }).toMatchObject({
        path,
        status: 415,
        body: { type: 'urn:threefold:problem:unsupported-media-type' },
        cookie: '',
      })
    }
    expect(await validate(app, cookie)).toBe('valid')
    expect(await app.ask('/sign-in/email', { body: bodies['/sign-in/email'] })).toMatchObject({
      status: 200,
    })
  },
)

test.for([{}, { 'content-type': 'application/json' }])(
  'a sign-out needs no body, with the headers %j',
  async (type, { databaseUrl }) => {
    await using app = await openApp(databaseUrl)
    const { cookie } = await signUp(app)
    const listener = listenerOf(app.app)
    const server = createServer((req, res) => void listener(req, res)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const url = `http://127.0.0.1:${port}/api/auth/sign-out`
    const headers = { cookie, origin: ORIGIN, ...type }
    expect((await fetch(url, { method: 'POST', headers })).status).toBe(200)
    server.closeAllConnections()
    server.close()
    expect(await validate(app, cookie)).toBe('revoked')
  },
)
