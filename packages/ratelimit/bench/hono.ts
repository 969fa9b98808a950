import { Hono, type MiddlewareHandler } from 'hono'

/** A request of Hono behind a middleware, or behind none. */
export function serveHono(middleware?: MiddlewareHandler): () => Promise<unknown> {
  const app = new Hono()
  if (middleware) app.use(middleware)
  app.get('/', (c) => c.text('fine'))
  return async () => {
    const response = await app.request('/')
    if (response.status !== 200) throw new Error(`A request is answered ${response.status}`)
    return response.text()
  }
}
