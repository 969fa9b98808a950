import { Agent, type OutgoingHttpHeaders, request } from 'node:http'
import { keyedHeaders } from '@repo/testing/keyed'
import { PUBLIC_ORIGIN } from '../stack/env.ts'

export interface Answer {
  /** 0 without a response. */
  status: number
  error?: string
  body: string
  servedBy: string[]
  cookie: string
  /** `Retry-After` in seconds. */
  retryAfterS?: number
  /** The response is that of an earlier request with the same key. */
  isReplay?: boolean
}

const TIMEOUT_MS = 15_000

/** A client with keep-alive connections, like browsers and services. It repeats no request. */
export function createClient(edge: string, maxSockets = 64) {
  const agent = new Agent({ keepAlive: true, maxSockets })
  const origin = PUBLIC_ORIGIN

  function send(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    { body, signal }: { body?: string; signal?: AbortSignal | undefined } = {},
  ) {
    return new Promise<Answer>((resolve) => {
      const fail = (error: NodeJS.ErrnoException) =>
        resolve({
          status: 0,
          error: error.code ?? error.message,
          body: '',
          servedBy: [],
          cookie: '',
        })
      const options = { agent, method, headers, ...(signal && { signal }) }
      const outgoing = request(new URL(path, edge), options, (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (chunk: string) => (text += chunk))
        res.on('error', fail)
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            body: text,
            servedBy: String(res.headers['x-instance-id'] ?? '').split(', '),
            cookie: (res.headers['set-cookie'] ?? [])
              .map((each) => each.split(';', 1)[0])
              .join('; '),
            ...keyedHeaders((name) => res.headers[name]?.toString()),
          }),
        )
      })
      outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error('no answer in time')))
      outgoing.on('error', fail)
      outgoing.end(body)
    })
  }

  function post(path: string, headers: OutgoingHttpHeaders, body: unknown, signal?: AbortSignal) {
    const json = { origin, 'content-type': 'application/json', ...headers }
    return send('POST', path, json, { body: JSON.stringify(body), signal })
  }

  return {
    get: (path: string, cookie: string) => send('GET', path, cookie ? { cookie } : {}),
    pay(cookie: string, reference: string, key?: string, signal?: AbortSignal) {
      const headers = { cookie, ...(key && { 'idempotency-key': key }) }
      return post('/api/payments', headers, { amount: 100, currency: 'EUR', reference }, signal)
    },
    /** Creates a user and returns the session's cookie. @throws Error when refused */
    async signUp(name: string): Promise<string> {
      const person = { name, email: `${name}@example.test`, password: `password-of-${name}` }
      const { status, cookie, body } = await post('/api/auth/sign-up/email', {}, person)
      if (status !== 200) throw new Error(`signing up for the load: ${status} ${body}`)
      return cookie
    },
    /** @throws Error when refused */
    async signIn(email: string, password: string): Promise<string> {
      const { status, cookie } = await post('/api/auth/sign-in/email', {}, { email, password })
      if (status !== 200) throw new Error(`signing in: ${status}`)
      return cookie
    },
    close: () => agent.destroy(),
  }
}
