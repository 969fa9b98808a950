import { setAwakeTimeout } from '@repo/concurrency'

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
const LATE = `no result within ${CHECK_DEADLINE_MS} ms`

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

/** A pause of this instance fails no check: only time in which its event loop ran counts. */
async function run(check: Check): Promise<CheckResult> {
  const late = Promise.withResolvers<CheckResult>()
  const giveUp = () => late.resolve({ state: 'unhealthy', reason: LATE })
  const cancel = setAwakeTimeout(giveUp, CHECK_DEADLINE_MS)
  try {
    return await Promise.race([late.promise, resultOf(check)])
  } finally {
    cancel()
  }
}

async function resultOf(check: Check): Promise<CheckResult> {
  try {
    await check()
    return { state: 'healthy' }
  } catch (error) {
    return { state: 'unhealthy', ...reasonOf(error) }
  }
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
