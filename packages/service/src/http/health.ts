import { setAwakeTimeout } from '@repo/concurrency'

/** Resolves when the service works, and rejects when it does not. */
export type Check = () => Promise<void>

/** The reason why a service does not work. `/health` shows it, so it has no address and no secret. */
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
  /** The settings in which this instance differs from the others. */
  drift?: string[]
  /** Reasons why it is not healthy, as text for people. */
  problems?: string[]
}

const CHECK_DEADLINE_MS = 1_000
const LATE = `no result within ${CHECK_DEADLINE_MS} ms`

/** How long the result of a check is used: clients of a public endpoint must not load the stores. */
const SHARED_MS = 1_000

/**
 * Returns a function that shares each check: it begins at most once per second, and the requests of this
 * second get its result. The phase, the drift and the problems of the instance are not shared.
 */
export function createSharedChecks(now: () => number = () => performance.now()) {
  const latest = new Map<string, { check: Check; startedAt: number; result: Promise<void> }>()

  function share(name: string, check: Check): Promise<void> {
    const last = latest.get(name)
    if (last?.check === check && now() - last.startedAt < SHARED_MS) return last.result
    const result = Promise.try(check)
    latest.set(name, { check, startedAt: now(), result })
    return result
  }

  return (checks: Record<string, Check>): Record<string, Check> =>
    Object.fromEntries(
      Object.entries(checks).map(([name, check]) => [name, () => share(name, check)]),
    )
}

/**
 * Returns the document of `/health`. It is `unhealthy` only while this instance does not serve. With
 * a failing store or different settings it is `degraded`: the instance serves what it can.
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

/** Only time in which the event loop ran counts, so a pause of this instance fails no check. */
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

/** Returns the public reason of a failure: its message, or the reply of Redis without an address. */
function reasonOf(error: unknown): Pick<CheckResult, 'reason'> {
  if (error instanceof CheckError) return { reason: error.message }
  if (!(error instanceof Error)) return {}
  if (error.name !== 'ReplyError') return reasonOf(error.cause)
  const [answer = ''] = error.message.replace(SCRIPT, '').split('\n', 1)
  return { reason: answer.slice(0, 200) }
}

/** The position in a script at which a command was refused. */
const SCRIPT = / script: ([\da-f]{40}, )?on @user_script.*/s
