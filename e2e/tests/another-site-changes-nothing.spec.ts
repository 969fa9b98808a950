import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { expect, type Page, test } from '@playwright/test'
import { EDGE } from '../cluster.ts'
import { signUp, newPerson } from '../person.ts'

let server: Server
let foreign: string

// Another port of the same host: the same site to a browser, so `SameSite=Lax` cookies are sent.
test.beforeEach(async () => {
  server = createServer((_req, res) => {
    res.setHeader('content-type', 'text/html').end('<!doctype html><title>Another site</title>')
  }).listen(0, 'localhost')
  await once(server, 'listening')
  const address = server.address()
  foreign = `http://localhost:${typeof address === 'object' ? address?.port : ''}`
})

test.afterEach(() => {
  server.closeAllConnections()
  server.close()
})

/** Submits a form to this site, which has none of the restrictions of a script. */
async function submit(page: Page, path: string, text: string): Promise<number> {
  await page.goto(foreign)
  const answered = page.waitForResponse((response) => response.url() === `${EDGE}${path}`)
  await page.evaluate(
    ([action, body]) => {
      const form = document.createElement('form')
      Object.assign(form, { method: 'post', enctype: 'text/plain', action })
      const field = document.createElement('input')
      // `{"amount":1,...,"x":"` = `"}` arrives as JSON.
      const cut = body.lastIndexOf('=')
      Object.assign(field, { name: body.slice(0, cut), value: body.slice(cut + 1) })
      form.append(field)
      document.body.append(form)
      form.submit()
    },
    [`${EDGE}${path}`, text] as const,
  )
  const status = (await answered).status()
  // The next navigation must not interrupt this one.
  await page.waitForURL(`${EDGE}${path}`)
  return status
}

/** Sends a request by script. The page cannot read the response. */
async function send(page: Page, path: string, method: string, body = ''): Promise<void> {
  await page.goto(foreign)
  await page.evaluate(
    async ([url, verb, text]) => {
      const mode = verb === 'POST' ? 'no-cors' : 'cors'
      const init = { method: verb, mode, credentials: 'include', body: text || null } as const
      await fetch(url, init).catch(() => undefined)
    },
    [`${EDGE}${path}`, method, body] as const,
  )
}

const payment = '{"amount":100,"currency":"EUR","reference":"forged=x"}'

test('a page on another port makes no payment, ends no session and signs no user in', async ({
  page,
}) => {
  const person = newPerson()
  await signUp(page, person)
  const { request } = page.context()
  expect((await (await request.get(`${EDGE}/api/me`)).json()).user.email).toBe(person.email)

  expect(await submit(page, '/api/payments', payment)).toBe(403)
  await send(page, '/api/payments', 'POST', payment)
  await send(page, '/api/sessions', 'DELETE')
  await send(page, '/api/settings/announcement', 'PUT', '{"value":"forged"}')
  expect(await submit(page, '/api/auth/sign-out', '{"x":"=x"}')).toBe(403)
  const account = JSON.stringify({ email: 'grace@threefold.test', password: 'x', 'y=': '' })
  expect(await submit(page, '/api/auth/sign-in/email', account)).toBe(403)
  // Pages of this site, whose actions run with the cookies of the request.
  expect(await submit(page, '/payments', 'amount=1')).toBe(403)
  expect(await submit(page, '/sign-in', 'email=grace@threefold.test')).toBe(403)

  const { payments } = await (await request.get(`${EDGE}/api/payments`)).json()
  expect(payments).toEqual([])
  expect((await (await request.get(`${EDGE}/api/me`)).json()).user.email).toBe(person.email)
  const settings = await (await request.get(`${EDGE}/api/settings/public`)).json()
  expect(settings.announcement).not.toBe('forged')
})

test('a page of this site makes a payment and ends sessions', async ({ page }) => {
  await signUp(page, newPerson())
  const status = await page.evaluate(async (body) => {
    const headers = { 'content-type': 'application/json' }
    const sent = { method: 'POST', headers, body }
    const made = await fetch('/api/payments', sent)
    const ended = await fetch('/api/sessions', { method: 'DELETE' })
    return [made.status, ended.status]
  }, payment)
  expect(status).toEqual([201, 200])
})
