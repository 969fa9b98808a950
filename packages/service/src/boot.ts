import type { AddressInfo } from 'node:net'
import { checkEvictionPolicy, connectRedis, type RedisConnection } from '@repo/redis'
import type { z } from 'zod'
import { drainServer } from './drain.ts'
import { sharedSettings } from './env.ts'
import type { Check, Phase } from './health.ts'
import { createLog, type Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createOps } from './ops.ts'
import { createRegistry, type Registry } from './registry.ts'
import { createInstanceServer, type Listener } from './server.ts'
import type { baseSettings } from './settings.ts'

type BaseEnv = z.infer<z.ZodObject<typeof baseSettings>>

export interface Context {
  instance: string
  log: Log
  redis: RedisConnection
  registry: Registry
  metrics: Metrics
}

export interface Started {
  listener: Listener
  /** What `/health` asks, beside Redis. */
  checks?: Record<string, Check>
  /** Called once no request is left: close pools and workers. */
  close?: () => Promise<void>
}

export interface BootOptions<Settings extends z.ZodRawShape> {
  app: string
  settings: Settings
  env: BaseEnv
  /** Migrates, connects, warms: the instance is ready when it resolves. */
  start: (context: Context) => Promise<Started>
}

/** After this long a drain gives up on requests in flight: below the 30 s that orchestrators grant. */
const DRAIN_DEADLINE_MS = 25_000

/**
 * Runs one instance: answers `/livez` at once and `/readyz` when `start` is done, announces itself,
 * and on SIGTERM or SIGINT drains and exits 0 within 30 s. A second signal ends it at once. An
 * instance that cannot start says why in one line and exits 1.
 */
export async function boot<Settings extends z.ZodRawShape>({
  app,
  settings,
  env,
  start,
}: BootOptions<Settings>): Promise<void> {
  const began = performance.now()
  const instance = env.INSTANCE_ID
  const log = createLog({ app, instance, version: env.APP_VERSION, level: env.LOG_LEVEL })
  const startedAt = new Date().toISOString()
  const metrics = createMetrics({ app, instance })
  const redis = connectRedis({ url: env.REDIS_URL, name: instance, log })
  let phase: Phase = 'starting'
  let started: Started | undefined
  const checks: Record<string, Check> = {
    redis: async () => {
      await redis.call((client) => client.ping())
    },
  }

  const http = createInstanceServer({
    instance,
    log,
    metrics,
    phase: () => phase,
    ops: createOps({
      instance,
      version: env.APP_VERSION,
      phase: () => phase,
      checks,
      drift: () => registry.drift(),
      metrics,
    }),
    listener: () => started?.listener,
  })
  const registry = createRegistry({
    redis,
    log,
    settings: sharedSettings(settings, process.env),
    describe: () => ({
      id: instance,
      app,
      version: env.APP_VERSION,
      url: env.INSTANCE_URL ?? urlOf(http.server.address()),
      startedAt,
      ready: phase === 'ready',
      load: http.inFlight(),
    }),
  })

  function fail(error: unknown, message: string): never {
    log.fatal({ event: 'boot.failed', err: error }, message)
    process.stderr.write(`${instance}: ${message}: ${reasonOf(error)}\n`)
    process.exit(1)
  }

  async function drain(signal: NodeJS.Signals) {
    if (phase === 'draining') process.exit(1)
    phase = 'draining'
    log.info({ event: 'drain', signal, inFlight: http.inFlight() }, 'draining')
    await registry.close()
    const inTime = await drainServer(http.server, {
      drainMs: env.DRAIN_MS,
      deadlineMs: DRAIN_DEADLINE_MS - env.DRAIN_MS,
    })
    await started?.close?.()
    await redis.close()
    log.info({ event: 'exit', inTime }, inTime ? 'drained' : 'cut off what was left')
    process.exit(inTime ? 0 : 1)
  }

  process.on('SIGTERM', (signal) => void drain(signal))
  process.on('SIGINT', (signal) => void drain(signal))
  process.on('uncaughtException', (error) => fail(error, 'an error that nothing handled'))

  await listen(http.server, env).catch((error: unknown) => fail(error, 'cannot listen'))
  await requireSafeRedis(redis, log).catch((error: unknown) => fail(error, 'Redis cannot be used'))
  try {
    started = await start({ instance, log, redis, registry, metrics })
  } catch (error) {
    fail(error, 'cannot start')
  }
  Object.assign(checks, started.checks)
  phase = 'ready'
  // Redis being away is no reason not to serve: the registry goes on trying.
  await registry.announce().catch((error: unknown) => log.warn({ err: error }, 'not announced yet'))
  log.info({ event: 'ready', ms: Math.round(performance.now() - began) }, 'ready')
}

/** @throws when the server would drop state; an absent server is tolerated, and checked when back. */
async function requireSafeRedis(redis: RedisConnection, log: Log): Promise<void> {
  await redis.ready().catch((error: unknown) => log.warn({ err: error }, 'starting without Redis'))
  const policy = await checkEvictionPolicy(redis)
  if (policy.outcome === 'unsafe') {
    throw new Error(`maxmemory-policy is ${policy.policy}; set it to noeviction, or state is lost`)
  }
  if (policy.outcome === 'unknown') {
    log.warn({ event: 'redis.policy', reason: policy.reason }, 'cannot see the eviction policy')
  }
}

function listen(
  server: ReturnType<typeof createInstanceServer>['server'],
  { HOST, PORT }: Pick<BaseEnv, 'HOST' | 'PORT'>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(PORT, HOST, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function urlOf(address: string | AddressInfo | null): string {
  if (address === null || typeof address === 'string') return ''
  const host = ['0.0.0.0', '::', '127.0.0.1'].includes(address.address)
    ? 'localhost'
    : address.address
  return `http://${host}:${address.port}`
}

/** The innermost reason: what a person can act on. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return reasonOf(error.cause)
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  return error.message
}
