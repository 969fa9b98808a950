import type { Redis, RedisOptions } from 'ioredis'
import { parseRedisUrl } from './address.ts'
import { createAnswerLog } from './answer-log.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { isAnswer, isSomebodyElses, RedisError, toRedisError } from './errors.ts'
import { DEFAULT_PREFIX, keyspace, SHARED_SLOT } from './keys.ts'
import { openClient, type Topology } from './topology.ts'

/** The part of a logger that a connection speaks to; pino fits. */
export interface ConnectionLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error?(fields: object, message: string): void
}

export interface RedisConnection {
  /** The ioredis client itself, for what `call` does not cover. */
  readonly client: Redis
  readonly breaker: Breaker
  /** What names of this deployment begin with. */
  readonly prefix: string
  /** The database number: channels, which are the same in all databases, contain it. */
  readonly database: number
  /** Whether channels are also served under the names of the release before. */
  readonly legacyNames: boolean
  /** `keyspace` with the prefix of this deployment. */
  keyspace(concern: string): ReturnType<typeof keyspace>
  /**
   * Runs a command on the request path: answers or fails within the deadline, never queues while
   * disconnected, never resends. Not for commands that block or subscribe.
   * @throws RedisError; an error of the callback's own passes through
   */
  call<T>(command: (client: Redis) => Promise<T>): Promise<T>
  /** Waits until connected, at most `timeoutMs`. @throws RedisError `unavailable`, with the reason */
  ready(timeoutMs?: number): Promise<void>
  /** Lets commands on their way be answered, then closes; within the deadline, also when Redis hangs. */
  close(): Promise<void>
}

export interface ConnectOptions extends Topology {
  /** Shown by CLIENT LIST: the instance's id. */
  name: string
  /** Deadline of one command in ms. */
  deadlineMs?: number
  log?: ConnectionLog
}

/**
 * The one place that decides how we connect for the request path: every command has a deadline,
 * nothing waits in an offline queue, nothing is sent twice, a dead server costs nothing after three
 * failures, and the connection heals by itself.
 */
export function connectRedis({ name, deadlineMs = 250, log, ...topology }: ConnectOptions) {
  const options = {
    connectionName: name,
    commandTimeout: deadlineMs,
    connectTimeout: 500,
    // How long a server that hangs may take to agree that the connection is over.
    disconnectTimeout: 500,
    // A hung server is one that leaves commands unanswered this long: reconnect.
    socketTimeout: Math.max(1_000, 2 * deadlineMs),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A command may have run before the connection broke: only its caller knows if it can be repeated.
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: true,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
    // This connection still speaks to who was the primary, or the owner of the slot.
    reconnectOnError: ({ message }) => isSomebodyElses(message),
  } satisfies RedisOptions
  const client = openClient(topology, SHARED_SLOT, options)
  logTransitions(client, log)
  const breaker = createBreaker()
  const logAnswer = createAnswerLog(log)
  /** Why the server does not let this instance in, as long as it does not. */
  let notLetIn: Error | undefined
  client.on('error', (error) => {
    if (isAnswer(error)) notLetIn = error
  })
  client.on('ready', () => {
    notLetIn = undefined
  })
  const { prefix = DEFAULT_PREFIX, legacyNames = true } = topology

  async function attempt<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    if (client.status === 'end') throw new RedisError('unavailable', 'the connection was closed')
    const late = Promise.withResolvers<never>()
    // Beside commandTimeout, which counts only from when the batch ahead was answered.
    const timer = setTimeout(
      () => late.reject(new RedisError('timeout', `no answer within ${deadlineMs} ms`)),
      deadlineMs,
    )
    try {
      return await Promise.race([command(client), late.promise])
    } catch (error) {
      if (isAnswer(error)) logAnswer(error)
      const sorted = toRedisError(error)
      if (!(sorted instanceof RedisError) || sorted.code !== 'unavailable' || !notLetIn)
        throw sorted
      throw new RedisError('unavailable', `not connected to Redis: ${notLetIn.message}`, {
        cause: notLetIn,
      })
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    client,
    breaker,
    prefix,
    database: parseRedisUrl(topology.url).database,
    legacyNames,
    keyspace: (concern) => keyspace(concern, { prefix }),
    call: (command) => breaker.run(() => attempt(command)),
    ready: (timeoutMs = 2_000) => untilReady(client, timeoutMs),
    async close() {
      // A server that is away needs no goodbye.
      if (client.status === 'ready') await attempt(sayGoodbye).catch(() => 'gone')
      if (client.status !== 'end') client.disconnect()
    },
  } satisfies RedisConnection as RedisConnection
}

async function sayGoodbye(client: Redis) {
  // Its answer comes after those of all commands so far; QUIT alone would overtake this tick's batch.
  await client.ping()
  await client.quit()
}

/** ioredis emits an error per attempt: one line when Redis goes and one when it is back. */
function logTransitions(client: Redis, log: ConnectionLog | undefined) {
  let up: boolean | undefined
  client.on('error', (error: Error) => {
    if (up !== false) log?.warn({ event: 'redis.down', reason: error.message }, 'Redis is away')
    up = false
  })
  client.on('ready', () => {
    if (up === false) log?.info({ event: 'redis.up' }, 'Redis is back')
    up = true
  })
}

async function untilReady(client: Redis, timeoutMs: number): Promise<void> {
  if (client.status === 'ready') return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let cause: unknown
  function noteCause(error: unknown) {
    // An answer says more than that the connection was closed after it.
    if (!isAnswer(cause)) cause = error
  }
  function giveUp() {
    const message = `Redis did not answer within ${timeoutMs} ms`
    reject(new RedisError('unavailable', message, { cause }))
  }
  const timer = setTimeout(giveUp, timeoutMs)
  client.once('ready', resolve)
  client.on('error', noteCause)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    client.off('ready', resolve)
    client.off('error', noteCause)
  }
}
