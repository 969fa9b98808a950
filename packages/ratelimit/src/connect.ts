import {
  type ConnectionLog,
  createAnswerLog,
  isSomebodyElses,
  openClient,
  type Script,
  script as defineScript,
  type Topology,
} from '@repo/redis'
import type { RedisOptions } from 'ioredis'
import { RateLimitError, unavailable } from './errors.ts'
import { LIMITER_SLOT, type LimiterKeys, limiterKeys } from './keys.ts'
import { type Call, createLane, isUnknownScript } from './lane.ts'
import { addArgument, scriptText, toText } from './resp.ts'

/** After so many failures in a row nothing is sent until a probe is answered. */
const FAILURES = 3
const PROBE_MS = 100

/** KEYS: 1 a string that ends by itself */
const WRITE = defineScript({ keys: 1, lua: `return redis.call('SET', KEYS[1], '1', 'PX', 10000)` })

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
  send(text: string, isAscii: boolean, call: Call): void
  /** As `run`, with text in the answer. */
  runText(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** Writes a little where counts are, as `take` does. @throws RateLimitError with the answer of Redis */
  check(): Promise<void>
  /** Waits until connected. @throws RateLimitError `unavailable` */
  ready(timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

/**
 * Connects for limits. A request waits at most `deadlineMs`, three failures in a row or a broken
 * connection stop all sending, and a probe each 100 ms finds out when Redis is back, so that no
 * request is spent on that. A command is never sent again: it may have counted.
 */
export function connectLimiterRedis({
  name,
  deadlineMs = 150,
  log,
  ...topology
}: Topology & {
  /** Shown by CLIENT LIST: the instance's id. */
  name: string
  deadlineMs?: number
  log?: ConnectionLog
}): LimiterRedis {
  const options = {
    connectionName: `${name}-ratelimit`,
    commandTimeout: deadlineMs,
    connectTimeout: 500,
    disconnectTimeout: 100,
    // A server that leaves commands unanswered this long hangs, or is no longer there: connect anew.
    socketTimeout: Math.max(1_000, 2 * deadlineMs),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    retryStrategy: () => PROBE_MS,
    reconnectOnError: ({ message }) => isSomebodyElses(message),
  } satisfies RedisOptions
  const client = openClient(topology, LIMITER_SLOT, options)
  const lane = createLane(client, { deadlineMs, onAnswer, onFailure })
  const logAnswer = createAnswerLog(log)
  const names = limiterKeys(topology.prefix)
  let failed = 0
  let down = false
  let probing: NodeJS.Timeout | undefined

  function note(up: boolean, reason = '') {
    if (down !== up) return
    down = !up
    if (up) log?.info({ event: 'ratelimit.redis.up' }, 'limits are exact again')
    else log?.warn({ event: 'ratelimit.redis.down', reason }, 'limits go without Redis')
  }

  function answered() {
    failed = 0
    clearInterval(probing)
    probing = undefined
    note(true)
  }

  async function probe() {
    try {
      await client.ping()
      answered()
    } catch {
      failed += 1 // still away
    }
  }

  function onAnswer() {
    failed = 0
  }

  function onFailure(error: Error) {
    // An answer, even an error, says that the server is there.
    if (error.name === 'ReplyError') {
      if (!isUnknownScript(error)) logAnswer(error)
      return
    }
    failed += 1
    if (failed < FAILURES || probing) return
    note(false, error.message)
    probing = setInterval(() => void probe(), PROBE_MS)
    probing.unref()
  }

  function replyTo(text: string): Promise<unknown> {
    return new Promise<unknown>((resolve, reject) => {
      lane(text, false, { answered: resolve, unanswered: reject })
    })
  }

  async function runPieces(
    { sha, lua }: Script,
    keys: number,
    pieces: readonly string[],
  ): Promise<unknown> {
    try {
      return await replyTo(scriptText('evalsha', sha, keys, pieces))
    } catch (error) {
      // Answered before anything ran: sending the whole script repeats nothing.
      if (!isUnknownScript(error)) throw error
      return replyTo(scriptText('eval', lua, keys, pieces))
    }
  }

  function run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const pieces: string[] = []
    for (const key of keys) addArgument(pieces, key)
    for (const arg of args) addArgument(pieces, arg)
    return runPieces(script, keys.length, pieces)
  }

  client.on('error', (error: Error) => note(false, error.message))
  client.on('close', () => note(false, 'the connection was closed'))
  client.on('ready', answered)

  return {
    keys: names,
    log,
    available: () => client.status === 'ready' && probing === undefined,
    run,
    runPieces,
    send: lane,
    async check() {
      if (client.status !== 'ready') throw new RateLimitError('unavailable', 'not connected')
      await run(WRITE, [names.health], []).catch((error: unknown) => {
        throw unavailable(error)
      })
    },
    runText: async (script, keys, args) => toText(await run(script, keys, args)),
    async ready(timeoutMs = 2_000) {
      if (client.status === 'ready') return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const message = `Redis did not answer within ${timeoutMs} ms`
      const timer = setTimeout(() => reject(new RateLimitError('unavailable', message)), timeoutMs)
      client.once('ready', resolve)
      await promise.finally(() => {
        clearTimeout(timer)
        client.off('ready', resolve)
      })
    },
    async close() {
      clearInterval(probing)
      client.removeAllListeners('close')
      if (client.status === 'ready') await client.quit().catch(() => 'gone')
      client.disconnect()
    },
  }
}
