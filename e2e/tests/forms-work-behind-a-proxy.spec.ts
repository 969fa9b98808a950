import { request as send, type IncomingMessage } from 'node:http'
import { expect, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { administrator } from '../person.ts'

/** Sends a request to an instance with the Host that a proxy inside a network would use. */
async function sendTo(
  url: string,
  { origin, form }: { origin?: string; form?: FormData } = {},
): Promise<{ status: number | undefined; headers: IncomingMessage['headers']; text: string }> {
  const encoded = form && new Response(form)
  const body = encoded && Buffer.from(await encoded.arrayBuffer())
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = {
      host: 'web.internal:3003',
      ...(origin && { origin }),
      ...(encoded && { 'content-type': encoded.headers.get('content-type') ?? '' }),
    }
    const request = send(url, { method: body ? 'POST' : 'GET', headers }, resolve)
    request.once('error', reject)
    request.end(body)
  })
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text }
}

/** The sign-in form of a page as a browser without JavaScript submits it. */
async function filledForm(url: string): Promise<FormData> {
  const { text } = await sendTo(`${url}/sign-in`)
  const form = new FormData()
  for (const [input] of text.matchAll(/<input type="hidden"[^>]*>/g)) {
    const value = /value="([^"]*)"/.exec(input)?.[1] ?? ''
    form.set(/name="([^"]*)"/.exec(input)![1]!, value.replaceAll('&quot;', '"'))
  }
  form.set('email', administrator.email)
  form.set('password', administrator.password)
  return form
}

test('a form signs in on every web instance behind a proxy that replaces the Host header', async () => {
  for (const { url } of instancesOf('web')) {
    const form = await filledForm(url)
    const answer = await sendTo(`${url}/sign-in`, { origin: EDGE, form })
    expect(answer.status, answer.text.slice(0, 300)).toBe(303)
    expect(String(answer.headers['set-cookie'])).toContain('session_token')
  }
})

test('a form that a page of another origin submits is refused with 403 and signs no user in', async () => {
  const [{ url } = { url: '' }] = instancesOf('web')
  const form = await filledForm(url)
  for (const origin of ['https://evil.example', 'http://localhost:1', 'null']) {
    const answer = await sendTo(`${url}/sign-in`, { origin, form })
    expect(answer.status).toBe(403)
    expect(JSON.parse(answer.text)).toMatchObject({
      type: 'urn:threefold:problem:cross-origin',
    })
    expect(answer.headers['set-cookie']).toBeUndefined()
  }
})
