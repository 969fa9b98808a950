import { idempotency } from 'express-idempotency'
import adapter from 'express-idempotency-redis-adapter'
import type { Context } from 'hono'
import { type Guard, TTL_MS } from './requests.ts'

/**
 * express-idempotency with a request and a response of Express that have only the members that it
 * uses, so that no second server counts. It answers before its record is stored.
 */
export async function openExpressIdempotency(url: string): Promise<Guard> {
  const dataAdapter = new adapter.default({ connectionConfig: { url }, ttl: TTL_MS / 1_000 })
  await dataAdapter.connect()
  // The types of the adapter fit only without `exactOptionalPropertyTypes`.
  const express: ReturnType<typeof idempotency> = Reflect.apply(idempotency, undefined, [
    { dataAdapter },
  ])
  return {
    async middleware(c, next) {
      const response = new ExpressResponse()
      const decided = Promise.withResolvers<void>()
      const request = await createRequest(c)
      await Reflect.apply(express, undefined, [
        request,
        response,
        (error?: Error) => (error ? decided.reject(error) : decided.resolve()),
      ])
      await decided.promise
      if (response.body === undefined) {
        await next()
        response.status(c.res.status)
        response.setHeader('content-type', c.res.headers.get('content-type') ?? '')
        response.send(await c.res.text())
      }
      const { body = '', statusCode: status, headers } = response
      c.res = undefined
      c.res = new Response(body, { status, headers })
    },
    close: () => dataAdapter.disconnect(),
  }
}

async function createRequest(c: Context) {
  const { method, path: url } = c.req
  const headers = c.req.header()
  const get = (name: string) => headers[name]
  return { method, url, originalUrl: url, query: {}, headers, get, body: await c.req.json() }
}

class ExpressResponse {
  statusCode = 200
  body: string | undefined
  readonly headers: Record<string, string> = {}

  getHeaders(): Record<string, string> {
    return this.headers
  }
  setHeader(name: string, value: string): void {
    this.headers[name] = value
  }
  status(code: number): this {
    this.statusCode = code
    return this
  }
  send(body: string): void {
    this.body = body
  }
}
