import { setAwakeTimeout } from '@repo/concurrency'
import type { Redis, RedisOptions } from 'ioredis'
import type { ConnectionLog } from './calls/answer-log.ts'
import type { Breaker } from './calls/breaker.ts'
import type { CallStats } from './calls/call-stats.ts'
import type { CallTimes } from './calls/call-times.ts'
import { createCalls } from './calls/calls.ts'
import { parseRedisUrl } from './connection/address.ts'
import { type Connects, countConnects } from './connection/connects.ts'
import { createRetryStrategy } from './connection/recovery.ts'
import { openClient, type Topology } from './connection/topology.ts'
import { isAnswer, isSomebodyElses, RedisError } from './errors.ts'
import { DEFAULT_PREFIX, keyspace, SHARED_SLOT } from './keys.ts'
import { requireConnectOptions, requireMs } from './options.ts'

export interface RedisConnection {
  /** The ioredis client, for blocking and subscribing commands. Its commands have no deadline. */
  readonly client: Redis
  readonly breaker: Pick<Breaker, 'state'>
  /** The calls that failed, and the last answer that refused one. */
  readonly stats: CallStats
  /** The times of later calls, for figures. */
  readonly times: Pick<CallTimes, 'observeBy' | 'recordTo'>
  readonly connects: Connects
  /** The prefix of keys and channels of this deployment. */
  readonly prefix: string
  /** The database number: channels, which are the same in all databases, contain it. */
  readonly database: number
  /** Whether channels are also served under the names of the previous release. */
  readonly legacyNames: boolean
  /** `keyspace` with the prefix of this deployment. */
  keyspace(concern: string): ReturnType<typeof keyspace>
  /**
   * Runs a command on the request path. It ends within the deadline and is never sent twice. If the
   * connection is lost before the command was written, the command waits for the first attempt to
   * connect again, and is then sent once. Not for commands that block or subscribe.
   * @throws RedisError; another error of the callback is thrown unchanged
   */
  call<T>(command: (client: Redis) => Promise<T>): Promise<T>
  /** Waits until connected, at most `timeoutMs`. @throws RedisError `unavailable`, with the reason */
  ready(timeoutMs?: number): Promise<void>
  /** Waits for the replies of commands in flight and closes, within the deadline, also if Redis hangs. */
  close(): Promise<void>
}

export interface ConnectOptions extends Topology {
  /** Shown by CLIENT LIST: the instance's id. */
  name: string
  /**
   * Deadline of one command in ms, from 1. Only time in which our event loop ran counts. A call fails
   * at most a tenth later, and at most 50 ms.
   */
  deadlineMs?: number
  log?: ConnectionLog
}

/**
 * Connects to Redis for the request path: every command has a deadline,
 * nothing is sent twice, a dead server costs nothing after three rounds of failures, and the
 * connection heals by itself. A pause of this process is no failure of the server.
 *
 * @throws RedisError `bad-option`
 */
export function connectRedis(connectOptions: ConnectOptions): RedisConnection {
  requireConnectOptions(connectOptions)
  const { name, deadlineMs = 250, log, ...topology } = connectOptions
  const options = {
    connectionName: name,
    // How long a server that hangs can delay the end of the connection.
    disconnectTimeout: 500,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A command may have run before the connection broke: only its caller can decide to repeat it.
    autoResendUnfulfilledCommands: false,
    retryStrategy: createRetryStrategy(),
    // The server is no longer the primary or the owner of the slot.
    reconnectOnError: ({ message }) => isSomebodyElses(message),
  } satisfies RedisOptions
  const client = openClient(topology, SHARED_SLOT, options)
  logTransitions(client, log)
  const connects = countConnects(client)
  const { call, attempt, breaker, stats, times } = createCalls({ client, deadlineMs, log })
  const { prefix = DEFAULT_PREFIX, legacyNames = true } = topology

  return {
    client,
    breaker,
    stats,
    times,
    connects,
    prefix,
    database: parseRedisUrl(topology.url).database,
    legacyNames,
    keyspace: (concern) => keyspace(concern, { prefix }),
    call,
    ready: (timeoutMs = 2_000) => untilReady(client, timeoutMs),
    async close() {
      // An unavailable server is not sent QUIT.
      if (client.status === 'ready') await attempt(sayGoodbye).catch(() => 'gone')
      if (client.status !== 'end') client.disconnect()
    },
  }
}

async function sayGoodbye(client: Redis) {
  // Its reply follows the replies of all commands in flight, whose callers can then send another one.
  await client.ping()
  await client.quit()
}

/** Logs one line when the connection is lost and one when it recovers: ioredis emits each attempt. */
function logTransitions(client: Redis, log: ConnectionLog | undefined) {
  let up: boolean | undefined
  client.on('error', (error: Error) => {
    if (up !== false)
      log?.warn({ event: 'redis.down', reason: error.message }, 'Redis is unavailable')
    up = false
  })
  client.on('ready', () => {
    if (up === false) log?.info({ event: 'redis.up' }, 'Redis is available again')
    up = true
  })
}

async function untilReady(client: Redis, timeoutMs: number): Promise<void> {
  requireMs('timeoutMs', timeoutMs, 0)
  if (client.status === 'ready') return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let cause: unknown
  function noteCause(error: unknown) {
    // The reply of the server has the reason. The lost connection that follows does not.
    if (!isAnswer(cause)) cause = error
  }
  function giveUp() {
    const message = `Redis is not ready within ${timeoutMs} ms`
    reject(new RedisError('unavailable', message, { cause }))
  }
  const cancel = setAwakeTimeout(giveUp, timeoutMs)
  client.once('ready', resolve)
  client.on('error', noteCause)
  try {
    await promise
  } finally {
    cancel()
    client.off('ready', resolve)
    client.off('error', noteCause)
  }
}
