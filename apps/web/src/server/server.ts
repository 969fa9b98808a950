import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { isSafeMethod, type ProblemOptions, sendProblem } from '@repo/service'
import { z } from 'zod'
import { instanceHeader } from '../api/headers.ts'
import { serveBuild } from '../env.ts'
import { createFormCheck } from './same-origin.ts'

const dir = join(import.meta.dirname, '../..')
const manifest = z.object({ config: z.record(z.string(), z.unknown()) })

interface WebApp {
  instanceId: string
  /** Where this instance listens: Next asks itself for the page that a server action redirects to. */
  port: number
  /** The site's origin as the browser shows it. */
  origin: string
}

/**
 * The built Next application as a plain request listener, so that web boots, drains and answers its
 * operational endpoints as every other app does. `close` resolves when `after()` callbacks have run.
 * @throws Error when there is no build to serve
 */
export async function createApp({ instanceId, port, origin }: WebApp) {
  serveBuild(await readBuiltConfig())
  // As the server that Next writes for a build does: from here it looks for our handlers.
  process.chdir(dir)
  // Next chooses its runtime by NODE_ENV when it is loaded, so it is loaded after that is set.
  const { default: next } = await import('next')
  const app = next({ dev: false, dir, port, hostname: 'localhost', quiet: true })
  await app.prepare()
  const handle = app.getRequestHandler()
  const isOwnForm = createFormCheck(origin)

  return {
    listener(request: IncomingMessage, response: ServerResponse) {
      // Pages learn from this who serves them; what a client sent under the name is overwritten.
      request.headers[instanceHeader] = instanceId
      // Who names no user agent is served as all others are: `htmlLimitedBots` in next.config.ts.
      request.headers['user-agent'] ||= 'unnamed'
      if (!isOwnForm(request)) return sendProblem(response, fromElsewhere(request, origin))
      if (!isSafeMethod(request.method)) {
        // Next compares these two again, and refuses a form whose Host a proxy has replaced.
        request.headers.origin = origin
        request.headers['x-forwarded-host'] = new URL(origin).host
      }
      // An error of this promise is a 500 of this request, not an unhandled rejection.
      return handle(request, response)
    },
    close: () => app.close(),
  }
}

function fromElsewhere({ headers }: IncomingMessage, origin: string): ProblemOptions {
  const page = JSON.stringify(headers.origin?.slice(0, 100) ?? 'an unnamed page')
  return {
    status: 403,
    code: 'cross-origin',
    detail: `The request comes from ${page}, and this site is ${origin}. If both are yours, set ORIGIN to the address that the browser shows.`,
  }
}

async function readBuiltConfig() {
  const path = join(dir, '.next/required-server-files.json')
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error('apps/web is not built: run `pnpm --filter @repo/web build`', { cause })
  })
  return manifest.parse(JSON.parse(text)).config
}
