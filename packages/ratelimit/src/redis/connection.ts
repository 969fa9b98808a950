import { createDeadlines, setAwakeTimeout } from '@repo/concurrency'
import {
  type ConnectionLog,
  createRetryStrategy,
  evaluate,
  findUrlFault,
  followRecovery,
  isPrefix,
  isSomebodyElses,
  limitSilence,
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
import { createGate, createProbeCall, PROBE_MS } from './circuit-breaker.ts'
import { addArgument, createLane, type Lane, scriptText, toText } from './command-sender.ts'

/** A connection for limits alone: what it is asked, it answers or fails soon, and never sends twice. */
export interface LimiterRedis {
  /** How the keys of this deployment are named. */
  readonly keys: LimiterKeys
  readonly log: ConnectionLog | undefined
  /** Whether a script may be sent now: connected, and answering. */
  available(): boolean
  /**
   * Runs a script that takes any number of keys; bytes are answered as they are.
   * @throws whatever says that there was no answer; the script may have run
   */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** As `run`, of keys and then arguments that `addArgument` made. */
  runPieces(script: Script, keys: number, pieces: readonly string[]): Promise<unknown>
  /** Sends a script by its hash, as a complete text; an unknown script is the receiver's to handle. */
  readonly send: Lane
  /** As `run`, with text in the answer. */
  runText(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** Counts as `take` does, on a subject of its own. @throws RateLimitError with the answer of Redis */
  check(): Promise<void>
  /** Waits until connected. @throws RateLimitError `unavailable` */
  ready(timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

/** What a connection for limits needs. */
interface LimiterRedisOptions extends Topology {
  /** Shown by CLIENT LIST: the instance's id. */
  name: string
  /** The longest time that a take waits for Redis, in ms. */
  deadlineMs?: number
  log?: ConnectionLog
}

/** A server that answers nothing for this long hangs, or is no longer there: the connection is replaced. */
const SILENCE_MS = 1_000

/**
 * Connects for limits. A request waits at most `deadlineMs`. After three rounds of takes without an
 * answer, without a connection, or while Redis refuses to count, nothing is sent until a probe each
 * 100 ms was counted, so that no request is spent on that. A command is never sent again: it may have
 * counted. One that was not sent because the connection was just lost waits for the first attempt to
 * replace it.
 * @throws RateLimitError `bad-option`
 */
export function connectLimiterRedis(given: LimiterRedisOptions): LimiterRedis {
  requireConnectionOptions(given)
  const { name, deadlineMs = 150, log, ...topology } = given
  const names = limiterKeys(topology.prefix)
  const pauseMs = createRetryStrategy()
  const options = {
    connectionName: `${name}-ratelimit`,
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    retryStrategy: (attempt) => Math.min(pauseMs(attempt), PROBE_MS),
    reconnectOnError: ({ message }) => isSomebodyElses(message),
  } satisfies RedisOptions
  const client = openClient(topology, LIMITER_SLOT, options)
  const recovery = followRecovery(client)
  const probeCall = createProbeCall(names)
  const gate = createGate({ probe, isConnected: () => client.status === 'ready', log })
  const lane = createLane(client, {
    deadlineMs,
    recovery,
    onWritten: limitSilence(client, Math.max(SILENCE_MS, 2 * deadlineMs)),
    onAnswer: () => gate.noteAnswer(),
    onErrorAnswer: (error) => gate.noteRefusal(error),
    onLate: (why) => gate.noteLate(why),
  })
  let reason = ''

  function probe(): Promise<unknown> {
    return runPieces(probeCall.script, probeCall.keys, probeCall.pieces)
  }

  function replyTo(text: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      lane(text, false, { answered: resolve, unanswered: reject })
    })
  }

  function runPieces(script: Script, keys: number, pieces: readonly string[]): Promise<unknown> {
    return evaluate(script, (command, text) => replyTo(scriptText(command, text, keys, pieces)))
  }

  function run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const pieces: string[] = []
    for (const key of keys) addArgument(pieces, key)
    for (const arg of args) addArgument(pieces, arg)
    return runPieces(script, keys.length, pieces)
  }

  client.on('error', (error: Error) => {
    reason = error.message
  })
  client.on('close', () => {
    if (!recovery.isRecovering()) gate.noteLost(reason || 'the connection was closed')
  })
  client.on('ready', () => {
    reason = ''
    gate.noteReady()
  })

  return {
    keys: names,
    log,
    available: () => !gate.isShut && (client.status === 'ready' || recovery.isRecovering()),
    run,
    runPieces,
    send: lane,
    async check() {
      if (client.status !== 'ready') throw new RateLimitError('unavailable', 'not connected')
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
        const message = `Redis did not answer within ${timeoutMs} ms`
        reject(new RateLimitError('unavailable', reason ? `${message}: ${reason}` : message))
      }, timeoutMs)
      client.once('ready', resolve)
      await promise.finally(() => {
        cancel()
        client.off('ready', resolve)
      })
    },
    async close() {
      gate.close()
      client.removeAllListeners('close')
      const goodbye = createDeadlines({ ms: deadlineMs })
      if (client.status === 'ready') await goodbye.run(client.quit()).catch(() => 'unreachable')
      client.disconnect()
    },
  }
}

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

/** @throws RateLimitError `bad-option`, that names the option */
function requireConnectionOptions(options: unknown): void {
  requireOptions(options, EXPECTED)
}

function areAddresses(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 1_000 &&
    value.every((each) => typeof each === 'string' && !each.includes(',')) &&
    parseAddresses(value.join(',')).faults.length === 0
  )
}
