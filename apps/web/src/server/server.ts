import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { noteRoute } from '@repo/observability'
import { TRACE_KEY_HEADER } from '@repo/observability'
import { isSafeMethod, pathOf, type ProblemOptions, sendProblem } from '@repo/service'
import { z } from 'zod'
import { instanceHeader } from '../api/headers.ts'
import { serveBuild } from '../env.ts'
import { createPageRoutes, routesManifest } from './page-routes.ts'
import { createFormCheck } from './same-origin.ts'
import { withTransportSecurity } from './transport-security.ts'

const dir = join(import.meta.dirname, '../..')
const manifest = z.object({ config: z.record(z.string(), z.unknown()) })

interface WebApp {
  instanceId: string
  /**
   * The port of this instance: Next calls itself for the page that a server action redirects to.
   */
  port: number
  /** The site's origin as the browser shows it. */
  origin: string
  /** The key of the system for traces, if it has one. */
  traceKey?: string | undefined
}

/**
 * The built Next application as a request listener, so that web boots and drains like every other
 * app. `close` resolves when the callbacks of `after()` have run.
 * @throws Error if there is no build
 */
export async function createApp({ instanceId, port, origin, traceKey }: WebApp) {
  const { config } = manifest.parse(await readBuilt('required-server-files.json'))
  serveBuild(config)
  const routeOf = createPageRoutes(routesManifest.parse(await readBuilt('routes-manifest.json')))
  // Next finds our handlers relative to the working directory, like the server of its build.
  process.chdir(dir)
  // Next chooses its runtime by NODE_ENV when it loads, so it loads after NODE_ENV is set.
  const { default: next } = await import('next')
  const app = next({ dev: false, dir, port, hostname: 'localhost', quiet: true })
  await app.prepare()
  const handle = app.getRequestHandler()
  const isOwnForm = createFormCheck(origin)

  return {
    listener: withTransportSecurity(origin, (request, response) => {
      const route = routeOf(pathOf(request))
      if (route !== undefined) noteRoute(route)
      // Pages read their instance from this header. A value that the client sent is overwritten.
      request.headers[instanceHeader] = instanceId
      // Next passes the headers to its request for the page that a form redirects to.
      if (traceKey !== undefined) request.headers[TRACE_KEY_HEADER] = traceKey
      // Without a user agent Next would stream the page: see `htmlLimitedBots` in next.config.ts.
      request.headers['user-agent'] ||= 'unnamed'
      if (!isOwnForm(request)) return sendProblem(response, crossOriginProblem(request, origin))
      if (!isSafeMethod(request.method)) {
        // Next compares both again, and would refuse a form after a proxy replaced the Host header.
        request.headers.origin = origin
        request.headers['x-forwarded-host'] = new URL(origin).host
      }
      // The server answers 500 if this promise rejects.
      return handle(request, response)
    }),
    close: () => app.close(),
  }
}

function crossOriginProblem({ headers }: IncomingMessage, origin: string): ProblemOptions {
  const page = JSON.stringify(headers.origin?.slice(0, 100) ?? 'an unnamed page')
  return {
    status: 403,
    code: 'cross-origin',
    detail: `The request comes from ${page}, but this site is ${origin}. If both belong to this site, set ORIGIN to the address in the browser.`,
  }
}

async function readBuilt(name: string): Promise<unknown> {
  const path = join(dir, '.next', name)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error('apps/web is not built: run `pnpm --filter @repo/web build`', { cause })
  })
  return JSON.parse(text)
}
