import { cluster, type Instance, observability } from '@repo/api'
import { z } from 'zod'

/** The site cannot be reached, or does not let this administrator read its figures. */
export class UnreadableError extends Error {
  override name = 'UnreadableError'
}

const health = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  problems: z.array(z.string()).default([]),
  drift: z.array(z.string()).default([]),
})
type InstanceHealth = z.infer<typeof health>

export interface Reading {
  figures: z.infer<typeof observability>
  /** Every instance of the registry; its health where its address is reachable from here. */
  instances: { instance: Instance; health: InstanceHealth | undefined }[]
}

export interface Site {
  /** @throws UnreadableError that names the cause and the next step */
  read(): Promise<Reading>
  /** Ends the session. */
  close(): Promise<void>
}

const TIMEOUT_MS = 10_000
const HEALTH_TIMEOUT_MS = 2_000

/** A site on which the administrator signs in once; a session that has ended is replaced. */
export function createSite({
  origin,
  email,
  password,
}: {
  origin: string
  email: string
  password: string
}): Site {
  let cookie: string | undefined

  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { origin, 'content-type': 'application/json', ...(cookie && { cookie }) }
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    try {
      // A redirect leads to a page, not to figures: another origin was meant.
      return await fetch(`${origin}${path}`, { ...init, headers, signal, redirect: 'manual' })
    } catch (error) {
      throw new UnreadableError(`${origin} cannot be reached: ${reasonOf(error)}`, { cause: error })
    }
  }

  async function signIn(): Promise<void> {
    cookie = undefined
    const body = JSON.stringify({ email, password })
    const response = await send('/api/auth/sign-in/email', { method: 'POST', body })
    await response.body?.cancel()
    if (response.status === 401) {
      throw new UnreadableError(
        `${origin} refuses the e-mail or the password (401): check MONITOR_EMAIL and MONITOR_PASSWORD`,
      )
    }
    if (!response.ok) {
      throw new UnreadableError(
        `${origin} refuses the sign-in: it responds ${response.status}${hint(response)}`,
      )
    }
    cookie = response.headers
      .getSetCookie()
      .map((each) => each.split(';', 1)[0])
      .join('; ')
  }

  /** Reads a document of administrators, with a new session if the present one has ended. */
  async function get<Schema extends z.core.$ZodType>(
    path: string,
    schema: Schema,
  ): Promise<z.core.output<Schema>> {
    if (cookie === undefined) await signIn()
    let response = await send(path)
    if (response.status === 401) {
      await response.body?.cancel()
      await signIn()
      response = await send(path)
    }
    if (response.status === 403) {
      throw new UnreadableError(`${email} is not an administrator of ${origin} (403)`)
    }
    if (!response.ok) {
      throw new UnreadableError(`${origin}${path} responds ${response.status}${hint(response)}`)
    }
    const parsed = z.safeParse(schema, await response.json().catch(() => undefined))
    if (!parsed.success) {
      throw new UnreadableError(`${origin}${path} is not the document of a Threefold gateway`)
    }
    return parsed.data
  }

  return {
    async read() {
      const figures = await get('/api/observability', observability)
      const { instances } = await get('/api/cluster', cluster)
      return {
        figures,
        instances: await Promise.all(
          instances.map(async (instance) => ({ instance, health: await readHealth(instance) })),
        ),
      }
    },
    async close() {
      if (cookie === undefined) return
      const response = await send('/api/auth/sign-out', { method: 'POST', body: '{}' })
      await response.body?.cancel()
      cookie = undefined
    },
  }
}

/** Undefined where the instance's own port is not reachable, as from outside of its network. */
async function readHealth({ url }: Instance): Promise<InstanceHealth | undefined> {
  try {
    const response = await fetch(`${url}/health`, {
      signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS),
    })
    return health.safeParse(await response.json()).data
  } catch {
    return undefined
  }
}

function hint({ status, headers }: Response): string {
  if (status === 429) return `: too many requests, try again in ${headers.get('retry-after')} s`
  if (status === 403) return ': use the origin that users type, which is ORIGIN of the instances'
  if (status === 503) return ': a store or every instance is unavailable'
  const location = headers.get('location')
  return location === null ? '' : `: it redirects to ${location}, use that origin`
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (error instanceof Error && error.name === 'TimeoutError') return 'no response in 10 s'
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0])
  return cause instanceof Error ? cause.message : String(cause)
}
