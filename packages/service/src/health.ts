/** Resolves when the service does its work, and rejects when it does not. */
export type Check = () => Promise<void>

/** Why a service does not do its work, in words that `/health` shows: without addresses and secrets. */
export class CheckError extends Error {
  override name = 'CheckError'
}

export type Phase = 'starting' | 'ready' | 'draining'

export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy'
  timestamp: string
  instance: string
  version: string
  services: Record<string, 'healthy' | 'unhealthy'>
  /** Settings in which this instance differs from the others. */
  drift?: string[]
  /** Why it is not healthy, for people, where more can be said than a service's name. */
  problems?: string[]
}

const CHECK_DEADLINE_MS = 1_000

/**
 * What `/health` says: `unhealthy` only while this instance does not serve. A shared store's trouble
 * or drifting settings make it `degraded`: it still serves what it can.
 */
export async function readHealth({
  phase,
  instance,
  version,
  checks,
  drift,
  problems: ownProblems = [],
}: {
  phase: Phase
  instance: string
  version: string
  checks: Record<string, Check>
  drift: string[]
  problems?: string[]
}): Promise<Health> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, ...(await run(check)) })),
  )
  const services = Object.fromEntries(results.map(({ name, state }) => [name, state]))
  const problems = [
    ...ownProblems,
    ...results.flatMap(({ name, reason }) => (reason ? [`${name}: ${reason}`] : [])),
  ]
  const isUnhealthy = results.some(({ state }) => state === 'unhealthy')
  const troubled = isUnhealthy || drift.length > 0 || problems.length > 0
  return {
    status: phase !== 'ready' ? 'unhealthy' : troubled ? 'degraded' : 'healthy',
    timestamp: new Date().toISOString(),
    instance,
    version,
    services,
    ...(drift.length > 0 && { drift }),
    ...(problems.length > 0 && { problems }),
  }
}

interface CheckResult {
  state: 'healthy' | 'unhealthy'
  reason?: string
}

async function run(check: Check): Promise<CheckResult> {
  const deadline = AbortSignal.timeout(CHECK_DEADLINE_MS)
  const late = new Promise<CheckResult>((resolve) => {
    deadline.addEventListener('abort', () => resolve({ state: 'unhealthy' }), { once: true })
  })
  return Promise.race([
    late,
    Promise.try(check).then(
      () => ({ state: 'healthy' }) as const,
      (error: unknown) => ({
        state: 'unhealthy' as const,
        ...reasonOf(error),
      }),
    ),
  ])
}

/** What can be shown of a failure: its own words, or the answer of Redis, which names no address. */
function reasonOf(error: unknown): Pick<CheckResult, 'reason'> {
  if (error instanceof CheckError) return { reason: error.message }
  if (!(error instanceof Error)) return {}
  if (error.name !== 'ReplyError') return reasonOf(error.cause)
  const [answer = ''] = error.message.replace(SCRIPT, '').split('\n', 1)
  return { reason: answer.slice(0, 200) }
}

/** Where in a script a command was refused. */
const SCRIPT = / script: ([\da-f]{40}, )?on @user_script.*/s
