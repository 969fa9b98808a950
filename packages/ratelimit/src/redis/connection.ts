import { createDeadlines, setAwakeTimeout } from '@repo/concurrency'
import {
  CallTimes,
  type ConnectionLog,
  countConnects,
  createRetryStrategy,
  evaluate,
  findUrlFault,
  followRecovery,
  isPrefix,
  isSomebodyElses,
  limitSilence,
  type ObservedConnection,
  openClient,
  parseAddresses,
  type Script,
  type Topology,
} from '@repo/redis'
import type { RedisOptions } from 'ioredis'
import { RateLimitError, unavailable } from '../errors.ts'
import { LIMITER_SLOT, type LimiterKeys, limiterKeys } from '../keys.ts'
import {
  anInteger,
  anObjectWith,
  aString,
  aTime,
  requireOptions,
  requireValid,
} from '../validation.ts'
import { createCircuitBreaker, createProbeCall, PROBE_MS } from './circuit-breaker.ts'
import {
  addArgument,
  createCommandSender,
  scriptCall,
  type SendCommand,
  toText,
} from './command-sender.ts'

/** A connection that only limits use. A call ends soon, and no command is sent twice (R5). */
export interface LimiterRedis {
  /** The names of the keys of this deployment. */
  readonly keys: LimiterKeys
  readonly log: ConnectionLog | undefined
  /** The state of the connection, for `limiterRedisFigures`. */
  readonly observed: ObservedConnection
  /** Whether a script may be sent now: Redis is connected, and counts. */
  readonly available: () => boolean
  /**
   * Runs a script with any number of keys. Texts in the reply are buffers.
   * @throws an error if there was no reply; the script may have been executed
   */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** As `run`, with the pieces of the keys and then of the arguments from `addArgument`. */
  runPieces(script: Script, keys: number, pieces: readonly string[]): Promise<unknown>
  /** Sends a call as a complete text. The receiver handles an unknown script. */
  readonly send: SendCommand
  /** As `run`, with texts in the reply. */
  runText(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** Counts like `take` on a subject that no policy has. @throws RateLimitError with the reply of Redis */
  check(): Promise<void>
  /** Waits until connected. @throws RateLimitError `unavailable` */
  ready(timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

/** The options of a connection for limits. */
interface LimiterRedisOptions extends Topology {
  /** The id of the instance, for CLIENT LIST. */
  name: string
  /** The longest wait of a take for Redis, in ms. */
  deadlineMs?: number
  log?: ConnectionLog
}

/** After this time without a byte from the server, the connection is replaced. */
const SILENCE_MS = 1_000

const ADDRESSES = { must: 'a list of 1 to 1,000 addresses, host:port each', isValid: areAddresses }
const BOOLEAN = { must: 'true or false', isValid: (value: unknown) => typeof value === 'boolean' }

const EXPECTED = {
  required: [
    {
      name: 'url',
      must: 'the URL of a Redis server, such as redis://host:6379/0',
      isValid: (value: unknown) => typeof value === 'string' && findUrlFault(value) === undefined,
    },
    {
      name: 'name',
      must: '1 to 200 printable ASCII characters without spaces',
      isValid: (value: unknown) => typeof value === 'string' && /^[!-~]{1,200}$/.test(value),
    },
  ],
  optional: [
    anInteger('deadlineMs', 1, 60_000),
    anObjectWith('log', ['info', 'warn']),
    {
      name: 'prefix',
      must: '1 to 64 letters, digits, dots, dashes and underscores',
      isValid: (value: unknown) => typeof value === 'string' && isPrefix(value),
    },
    { name: 'sentinels', ...ADDRESSES },
    { name: 'clusterNodes', ...ADDRESSES },
    aString('sentinelUsername'),
    aString('sentinelPassword'),
    { name: 'sentinelTls', ...BOOLEAN },
    { name: 'legacyNames', ...BOOLEAN },
  ],
}

/**
 * Connects for limits. A request waits at most `deadlineMs`. After three rounds of takes without a
 * reply, without a connection, or while Redis refuses to count, nothing is sent until a probe succeeds.
 * A probe is sent every 100 ms, so that no request waits for this. No command is sent again, since it
 * may have counted (R5). A command that was not sent because the connection was just lost waits for
 * the first attempt to replace it.
 * @throws RateLimitError `bad-option`
 */
export function connectLimiterRedis(options: LimiterRedisOptions): LimiterRedis {
  requireOptions(options, EXPECTED)
  const { name, deadlineMs = 150, log, ...topology } = options
  const names = limiterKeys(topology.prefix)
  const pauseMs = createRetryStrategy()
  const clientOptions = {
    connectionName: `${name}-ratelimit`,
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    retryStrategy: (attempt) => Math.min(pauseMs(attempt), PROBE_MS),
    reconnectOnError: ({ message }) => isSomebodyElses(message),
  } satisfies RedisOptions
  const client = openClient(topology, LIMITER_SLOT, clientOptions)
  const recovery = followRecovery(client)
  const connects = countConnects(client)
  const times = new CallTimes()
  const probeCall = createProbeCall(names)
  const sender = createCommandSender(client, {
    deadlineMs,
    recovery,
    times,
    onWritten: limitSilence(client, Math.max(SILENCE_MS, 2 * deadlineMs)),
    onErrorReply: (error) => breaker.noteErrorReply(error),
    onLate: (rounds, reason) => breaker.noteLate(rounds, reason),
  })
  const breaker = createCircuitBreaker({
    probe,
    isConnected: () => client.status === 'ready',
    onChange: sender.setStopped,
    log,
  })
  let lastError = ''

  function probe(): Promise<unknown> {
    return runPieces(probeCall.script, probeCall.keys, probeCall.pieces)
  }

  function call(text: string): Promise<unknown> {
    return new Promise((onReply, onError) => {
      sender.send(text, false, { onReply, onError })
    })
  }

  function runPieces(script: Script, keys: number, pieces: readonly string[]): Promise<unknown> {
    return evaluate(script, (command, text) => call(scriptCall(command, text, keys, pieces)))
  }

  function run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const pieces: string[] = []
    for (const key of keys) addArgument(pieces, key)
    for (const arg of args) addArgument(pieces, arg)
    return runPieces(script, keys.length, pieces)
  }

  client.on('error', (error: Error) => {
    lastError = error.message
  })
  client.on('close', () => {
    if (!recovery.isRecovering()) breaker.noteLost(lastError || 'the connection was closed')
  })
  client.on('ready', () => {
    lastError = ''
    breaker.noteReady()
  })

  return {
    keys: names,
    log,
    observed: { name: 'limits', connects, times, isStopped: () => !sender.isAvailable() },
    available: sender.isAvailable,
    run,
    runPieces,
    send: sender.send,
    async check() {
      if (client.status !== 'ready')
        throw new RateLimitError('unavailable', 'not connected to Redis')
      await probe().catch((error: unknown) => {
        throw unavailable(error)
      })
    },
    runText: async (script, keys, args) => toText(await run(script, keys, args)),
    async ready(timeoutMs = 2_000) {
      requireValid('bad-argument', timeoutMs, aTime('timeoutMs'))
      if (client.status === 'ready') return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const cancel = setAwakeTimeout(() => {
        const message = `not connected to Redis within ${timeoutMs} ms`
        const reason = lastError ? `${message}: ${lastError}` : message
        reject(new RateLimitError('unavailable', reason))
      }, timeoutMs)
      client.once('ready', resolve)
      await promise.finally(() => {
        cancel()
        client.off('ready', resolve)
      })
    },
    async close() {
      breaker.close()
      client.removeAllListeners('close')
      const deadlines = createDeadlines({ ms: deadlineMs })
      if (client.status === 'ready') await deadlines.run(client.quit()).catch(() => 'unreachable')
      client.disconnect()
    },
  }
}

function areAddresses(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 1_000 &&
    value.every((address) => typeof address === 'string' && !address.includes(',')) &&
    parseAddresses(value.join(',')).faults.length === 0
  )
}
