import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { currentRequest, type Log, reasonOf } from '@repo/observability'
import { isRedisOutage } from '@repo/redis'
import { type Context as HonoContext, type Env, Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { matchedRoutes } from 'hono/route'
import type { z } from 'zod'
import { createProblem, problemHeaders, type ProblemOptions } from './problem.ts'
import type { Listener } from './server.ts'

export { type HttpBindings }

const MAX_ERRORS = 20
/** The longest name of an unknown field, which the client chose. */
const MAX_FIELD = 100

/** A problem (RFC 9457) that a route throws. It becomes the response. */
export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly problem: ProblemOptions

  constructor(problem: ProblemOptions) {
    super(problem.detail)
    this.problem = problem
  }
}

/** Converts a problem to a response. */
export function problemResponse(problem: ProblemOptions): Response {
  return new Response(JSON.stringify(createProblem(problem)), {
    status: problem.status,
    headers: problemHeaders(problem),
  })
}

/**
 * Creates a Hono app in which every failure is a problem document. An unknown route is 404, a body
 * over `maxBodyBytes` 413, and an unavailable store 503 with Retry-After. Any other error is 500; its
 * stack is logged and not sent.
 *
 * @param isUnavailable whether an error means that a store other than Redis is unavailable
 */
export function createHono<E extends Env = Env>({
  log,
  isUnavailable = () => false,
  maxBodyBytes = 1_048_576,
}: {
  log: Log
  isUnavailable?: (error: unknown) => boolean
  maxBodyBytes?: number
}): Hono<E> {
  const app = new Hono<E>()
  const tooLarge = {
    status: 413,
    code: 'body-too-large',
    detail: `The body must be at most ${maxBodyBytes} bytes.`,
  }
  app.use(noteTemplate)
  app.use(replaceUnmeasured)
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: () => problemResponse(tooLarge) }))
  app.notFound((c) =>
    problemResponse({ status: 404, code: 'not-found', detail: `There is no ${c.req.path} here.` }),
  )
  app.onError((error) => {
    if (error instanceof ProblemError) return problemResponse(error.problem)
    if (error instanceof HTTPException) {
      return problemResponse({ status: error.status, detail: error.message })
    }
    if (isRedisOutage(error) || isUnavailable(error)) {
      log.warn({ event: 'unavailable', reason: reasonOf(error) }, 'a store is unavailable')
      return problemResponse(unavailable)
    }
    log.error({ event: 'error', err: error }, 'an error that no route handled')
    return problemResponse({ status: 500, code: 'internal', detail: 'Something went wrong here.' })
  })
  return app
}

/** Sets the template of the path, unless a router before this app has set it. */
const noteTemplate: MiddlewareHandler = (c, next) => {
  const request = currentRequest()
  if (request && request.route === undefined) {
    // `use` adds routes with the method ALL. They match paths that have no route, too.
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
    if (route) request.route = templateOf(route.path)
  }
  return next()
}

const templates = new Map<string, string>()

/** Returns `/api/payments/{id}` for `/api/payments/:id`. */
function templateOf(path: string): string {
  const template = templates.get(path) ?? path.replace(/:(\w+)(\{[^}]*\})?\??/g, '{$1}')
  templates.set(path, template)
  return template
}

/**
 * Replaces a request without Content-Length by one of Node's class. The body limit of Hono counts the
 * bytes of such a body and then copies the request. Node's class can only copy requests of its class,
 * and not those of `@hono/node-server`.
 */
const replaceUnmeasured: MiddlewareHandler = async (c, next) => {
  const { method, url, headers, body, signal } = c.req.raw
  if (!headers.has('content-length') && method !== 'GET' && method !== 'HEAD') {
    c.req.raw = new Request(url, { method, headers, body, signal, duplex: 'half' })
  }
  await next()
}

/** The problem while a store that the response needs is unavailable. */
export const unavailable: ProblemOptions = {
  status: 503,
  code: 'unavailable',
  detail: 'A service that this needs is unavailable. Try again in a moment.',
  retryAfter: 1,
}

/** Returns the listener with which a node:http server serves a Hono app. */
export function listenerOf<E extends Env>(app: Hono<E>): Listener {
  return getRequestListener(app.fetch, { overrideGlobalObjects: false })
}

// RFC 6839 3.1: a type with the suffix +json is JSON too. Parameters follow a semicolon.
const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json[ \t]*(?:;|$)/i

/**
 * Refuses a body that is not declared as JSON: a page of another site can send other types without a
 * preflight request. A request without a body needs no type.
 * @throws ProblemError 415
 */
async function requireJson(c: HonoContext): Promise<void> {
  const type = c.req.header('content-type')
  if (type !== undefined && JSON_TYPE.test(type)) return
  if ((await c.req.text()) === '') return
  const detail = 'The Content-Type of the body must be application/json.'
  throw new ProblemError({ status: 415, code: 'unsupported-media-type', detail })
}

/**
 * Returns the JSON body of the request after validation.
 * @throws ProblemError 400 if it is not JSON, 415 if it is not declared as JSON, 422 that names each
 * faulty field
 */
export async function readJson<T>(c: HonoContext, schema: z.ZodType<T>): Promise<T> {
  await requireJson(c)
  const body: unknown = await c.req.json().catch(() => {
    throw new ProblemError({ status: 400, code: 'malformed-json', detail: 'The body is not JSON.' })
  })
  return checkFields(body, schema, 'body')
}

/**
 * Parses a value that a client sent.
 * @throws ProblemError 422 that names each faulty field
 */
export function checkFields<T>(value: unknown, schema: z.ZodType<T>, part: 'body' | 'query'): T {
  const parsed = schema.safeParse(value, { reportInput: true })
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.flatMap(({ path, message, ...issue }) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          field: [...path, key.slice(0, MAX_FIELD)].join('.'),
          message: 'is not a field of the schema',
        }))
      : [{ field: path.join('.') || part, message: isMissing(issue) ? 'is required' : message }],
  )
  // The response to many unknown fields must not be several times as large as the request.
  const listed = errors.slice(0, MAX_ERRORS)
  const fields = new Set(listed.map(({ field }) => field))
  const detail = `The ${part} is at fault in: ${[...fields].join(', ')}.`
  throw new ProblemError({ status: 422, code: `invalid-${part}`, detail, errors: listed })
}

function isMissing(issue: object): boolean {
  return 'input' in issue && issue.input === undefined
}
