/** Answers when the service does, throws when it does not. */
export type Check = () => Promise<void>

export type Phase = 'starting' | 'ready' | 'draining'

export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy'
  timestamp: string
  instance: string
  version: string
  services: Record<string, 'healthy' | 'unhealthy'>
  /** Settings in which this instance differs from the others. */
  drift?: string[]
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
}: {
  phase: Phase
  instance: string
  version: string
  checks: Record<string, Check>
  drift: string[]
}): Promise<Health> {
  const services = Object.fromEntries(
    await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await run(check)]),
    ),
  )
  const troubled = Object.values(services).includes('unhealthy') || drift.length > 0
  return {
    status: phase !== 'ready' ? 'unhealthy' : troubled ? 'degraded' : 'healthy',
    timestamp: new Date().toISOString(),
    instance,
    version,
    services,
    ...(drift.length > 0 && { drift }),
  }
}

async function run(check: Check): Promise<'healthy' | 'unhealthy'> {
  const deadline = AbortSignal.timeout(CHECK_DEADLINE_MS)
  const late = new Promise<'unhealthy'>((resolve) => {
    deadline.addEventListener('abort', () => resolve('unhealthy'), { once: true })
  })
  return Promise.race([
    late,
    Promise.try(check).then(
      () => 'healthy' as const,
      () => 'unhealthy' as const,
    ),
  ])
}
