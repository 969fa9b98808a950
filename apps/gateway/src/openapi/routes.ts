import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { endpoints } from '@repo/api/endpoints'
import { createOpenApiDocument } from '@repo/api/openapi'
import { Hono } from 'hono'
import type { RouteEnv } from '../caller.ts'
import { html, script, styles } from './page.ts'
import { createPublicFile, type PublicFile } from './public-file.ts'

/**
 * The policy of the page: scripts and styles of this origin, and requests to it. The viewer has icons
 * as `data:` images.
 */
const POLICY = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `img-src 'self' data:`,
  `connect-src 'self'`,
  `form-action 'none'`,
  `base-uri 'none'`,
  `frame-ancestors 'none'`,
].join('; ')

/** Two releases serve side by side during a roll, so a copy must be short-lived. */
const FRESH = 'public, max-age=60'
const FILE = 'public, max-age=3600'

export interface DocumentedSite {
  /** The public origin. */
  origin: string
  /** The name of the session cookie. */
  cookieName: string
  /** The release. */
  version: string
}

/**
 * Routes of the API reference: the OpenAPI document at `/openapi.json`, and the page that shows it at
 * `/docs`. Everything comes from this origin. The files of the viewer stay in its package.
 */
export function createReferenceRoutes(site: DocumentedSite): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>()

  const document = createPublicFile({
    load: () => Buffer.from(JSON.stringify(createOpenApiDocument({ endpoints, ...site }))),
    type: 'application/json',
    cacheControl: FRESH,
  })
  const page = createPublicFile({
    load: () => Buffer.from(html),
    type: 'text/html; charset=utf-8',
    cacheControl: FRESH,
    headers: {
      'content-security-policy': POLICY,
      'cross-origin-opener-policy': 'same-origin',
    },
  })
  const files = new Map([
    ['reference.css', textFile(styles, 'text/css; charset=utf-8')],
    ['reference.js', textFile(script, 'text/javascript; charset=utf-8')],
    ['swagger-ui.css', viewerFile('swagger-ui.css', 'text/css; charset=utf-8')],
    ['swagger-ui-bundle.js', viewerFile('swagger-ui-bundle.js', 'text/javascript; charset=utf-8')],
  ])

  app.get('/openapi.json', (c) => document.respond(c.req.raw))
  app.get('/docs', (c) => page.respond(c.req.raw))
  app.get('/docs/:file', async (c) => {
    const file = files.get(c.req.param('file'))
    return file ? file.respond(c.req.raw) : c.notFound()
  })
  return app
}

function textFile(text: string, type: string): PublicFile {
  return createPublicFile({ load: () => Buffer.from(text), type, cacheControl: FRESH })
}

function viewerFile(name: string, type: string): PublicFile {
  return createPublicFile({
    load: () => readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`))),
    type,
    cacheControl: FILE,
  })
}
