import {
  captureConsole,
  captureWarnings,
  createHistogram,
  createInstanceLog,
  createMetrics,
  createSampler,
  instanceFigures,
  type Log,
  logFigures,
  type Metrics,
  reasonOf,
  traceRedisCall,
  type Traces,
  writeBeforeExit,
} from '@repo/observability'
import { connectRedis, redisFigures, type RedisConnection } from '@repo/redis'
import type { z } from 'zod'
import { type CertificateFiles, readCertificate } from '../http/certificate.ts'
import type { Check, Phase } from '../http/health.ts'
import { listen, urlOf } from '../http/listen.ts'
import { createOps } from '../http/ops.ts'
import { createInstanceServer, type Listener, type UpgradeHandler } from '../http/server.ts'
import { createRegistry, type Registry } from '../registry/registry.ts'
import { sharedSettings } from '../settings/env.ts'
import { redisTopology } from '../settings/redis-settings.ts'
import type { baseSettings, tlsSettings } from '../settings/settings.ts'
import type { traceEntrySettings } from '../settings/trace-settings.ts'
import { sampleRateOf } from '../settings/trace-settings.ts'
import { drain } from './drain.ts'
import { openTraces } from './open-traces.ts'
import { createRedisCheck, requireSafeRedis } from './safe-redis.ts'
import { startAgain } from './start-again.ts'
import { handleUnhandled } from './unhandled.ts'

type BaseEnv = z.infer<z.ZodObject<typeof baseSettings>> &
  Partial<z.infer<z.ZodObject<typeof tlsSettings & typeof traceEntrySettings>>>

export interface Context {
  instance: string
  log: Log
  redis: RedisConnection
  registry: Registry
  metrics: Metrics
  /** The traces of this instance; undefined if none are recorded. */
  traces: Traces | undefined
  /** Its resources are closed, in reverse order, if the start fails and is repeated. */
  resources: AsyncDisposableStack
}

export interface Started {
  listener: Listener
  /** Serves upgrades, such as WebSockets. Without it, each one is served as a plain request. */
  upgrade?: UpgradeHandler
  /** The checks of `/health`, in addition to Redis. */
  checks?: Record<string, Check>
  /**
   * Called when a drain has ended all connections. Resolves when requests whose clients have left are
   * complete.
   */
  idle?: () => Promise<void>
  /** Called when no request is in flight: closes pools and workers. */
  close?: () => Promise<void>
}

export interface BootOptions<Settings extends z.ZodRawShape> {
  app: string
  settings: Settings
  env: BaseEnv
  /**
   * Migrates, connects and warms. The instance is ready when it resolves. It runs again when it
   * fails because a store is unavailable.
   */
  start: (context: Context) => Promise<Started>
  /** Whether an error means that a store other than Redis is unavailable. */
  isUnavailable?: (error: unknown) => boolean
  /** Whether all requests come from the gateway, whose decision to record a trace is preserved. */
  isBehindGateway?: boolean
  /** The bound of `createMetrics`, for an app with more routes or fewer other series than most. */
  maxCombinations?: number
}

/**
 * Runs one instance. `/livez` responds at once, and `/readyz` when `start` is done; then the instance
 * is announced. On SIGTERM or SIGINT it drains and exits 0 within 30 s. A second signal ends it at
 * once. An instance that cannot start prints the reason in one line and exits 1. No failure of a
 * store, a client or the machine ends a running instance: see `handleUnhandled`.
 */
export async function boot<Settings extends z.ZodRawShape>({
  app,
  settings,
  env,
  start,
  isUnavailable = () => false,
  isBehindGateway = false,
  maxCombinations,
}: BootOptions<Settings>): Promise<void> {
  const began = performance.now()
  const instance = env.INSTANCE_ID
  const { APP_VERSION: version, LOG_LEVEL: level } = env
  const { log, output } = createInstanceLog({ app, instance, version, level })
  captureConsole(log, console)
  captureWarnings(log)
  const startedAt = new Date().toISOString()
  const metrics = createMetrics({ app, instance, ...(maxCombinations && { maxCombinations }) })
  metrics.observe(logFigures(output))
  const traces = await openTraces({ env, app, instance, version, log }).catch((error: unknown) =>
    fail(error, 'traces cannot be recorded'),
  )
  if (traces) metrics.observe(traces.figures)
  const redis = connectRedis({ ...redisTopology(env), name: instance, log })
  if (traces) redis.times.observeBy(traceRedisCall)
  metrics.observe(redisFigures(redis, createHistogram))
  const state: { phase: Phase; started?: Started; bootSeconds: number } = {
    phase: 'starting',
    bootSeconds: 0,
  }
  const checks: Record<string, Check> = { redis: createRedisCheck(redis) }

  const certificateFiles = certificateFilesOf(env)
  try {
    if (certificateFiles) readCertificate(certificateFiles)
  } catch (error) {
    fail(error, 'cannot serve https')
  }
  const http = createInstanceServer({
    instance,
    log,
    metrics,
    ops: createOps({
      instance,
      version,
      phase: () => state.phase,
      checks,
      drift: () => registry.drift(),
      problems: () => registry.problems(),
      metrics,
      log,
    }),
    listener: () => state.started?.listener,
    upgrade: () => state.started?.upgrade,
    // A client must not decide what is recorded.
    sampleTrace: isBehindGateway ? undefined : createSampler(sampleRateOf(env)),
    traceKey: env.TRACE_SECRET,
    traces,
    certificateFiles,
  })
  const registry = createRegistry({
    redis,
    log,
    settings: sharedSettings(settings),
    describe: () => ({
      id: instance,
      app,
      version,
      url: env.INSTANCE_URL ?? urlOf(http.server.address(), certificateFiles ? 'https' : 'http'),
      startedAt,
      ready: state.phase === 'ready',
      load: http.inFlight(),
    }),
  })

  metrics.observe(
    instanceFigures({
      version,
      phase: () => state.phase,
      bootSeconds: () => state.bootSeconds,
      hasDrift: () => registry.drift().length > 0,
    }),
  )

  function report(error: unknown, message: string) {
    log.fatal({ event: 'boot.failed', err: error }, message)
    writeBeforeExit(2, `${instance}: ${message}: ${reasonOf(error)}\n`)
  }

  function fail(error: unknown, message: string): never {
    report(error, message)
    process.exit(1)
  }

  async function close() {
    try {
      await state.started?.close?.()
    } finally {
      await Promise.all([redis.close(), traces?.close()])
    }
  }

  /** Drains and exits: 0 if no request was cut off, otherwise 1. */
  async function leave(cause: { signal: NodeJS.Signals } | { defect: true }): Promise<never> {
    // No balancer sends requests to an instance that was never ready.
    const drainMs = state.phase === 'ready' ? env.DRAIN_MS : 0
    state.phase = 'draining'
    log.info({ event: 'drain', ...cause, inFlight: http.inFlight() }, 'draining')
    try {
      const idle = async () => state.started?.idle?.()
      const outcome = await drain({ http, registry, log, drainMs, idle, close })
      log.info({ event: 'exit', outcome }, outcome)
      process.exit(outcome === 'drained' && 'signal' in cause ? 0 : 1)
    } catch (error) {
      fail(error, 'cannot drain')
    }
  }

  function onSignal(signal: NodeJS.Signals) {
    if (state.phase === 'draining') {
      log.warn(
        { event: 'exit', signal, inFlight: http.inFlight() },
        'second signal: the drain is ended',
      )
      process.exit(1)
    }
    void leave({ signal })
  }

  function onDefect(error: unknown) {
    const message = 'an unhandled error'
    if (state.phase === 'starting') fail(error, message)
    // The deadline of the drain ends an instance whose defect occurs again.
    if (state.phase === 'draining') return log.fatal({ event: 'defect', err: error }, message)
    report(error, message)
    void leave({ defect: true })
  }

  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  handleUnhandled({ log, metrics, failRequest: (context) => http.failRequest(context), onDefect })

  await listen(http.server, env).catch((error: unknown) => fail(error, 'cannot listen'))
  await requireSafeRedis(redis, log).catch((error: unknown) => fail(error, 'Redis cannot be used'))
  try {
    const context = { instance, log, redis, registry, metrics, traces }
    state.started = await startAgain({
      start: (resources) => start({ ...context, resources, metrics: lent(metrics, resources) }),
      isUnavailable,
      isDraining: () => state.phase === 'draining',
      log,
    })
  } catch (error) {
    // A drain closes what the start uses, so this is no failure.
    if (state.phase === 'draining') return
    fail(error, 'cannot start')
  }
  if (state.phase === 'draining') return
  Object.assign(checks, state.started.checks)
  state.phase = 'ready'
  const bootMs = performance.now() - began
  state.bootSeconds = bootMs / 1_000
  log.info({ event: 'ready', ms: Math.round(bootMs) }, 'ready')
  // An instance serves without Redis. The registry repeats the announcement.
  await registry
    .announce()
    .catch((error: unknown) => log.warn({ err: error }, 'the instance is not announced yet'))
}

/** The metrics for one start: if it fails and is repeated, its figures are removed. */
function lent(metrics: Metrics, resources: AsyncDisposableStack): Metrics {
  return {
    ...metrics,
    observe(figures) {
      const remove = metrics.observe(figures)
      resources.defer(remove)
      return remove
    },
  }
}

function certificateFilesOf({
  TLS_CERT_FILE,
  TLS_KEY_FILE,
}: BaseEnv): CertificateFiles | undefined {
  if (!TLS_CERT_FILE || !TLS_KEY_FILE) return undefined
  return { certFile: TLS_CERT_FILE, keyFile: TLS_KEY_FILE }
}
