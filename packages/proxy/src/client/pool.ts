import { createDeadlines, type Deadlines } from '@repo/concurrency'
import { toError } from '../problem.ts'
import { Call, type CallOwner } from './call.ts'
import { ClientError } from './client-error.ts'
import { Connection, type ConnectionOwner, type Timeouts } from './connection.ts'
import {
  type ClientRequest,
  type RequestHead,
  type ResponseHandler,
  writeRequestHead,
} from './request.ts'
import { type Endpoint, endpointOf, type TlsOptions } from './socket.ts'

/** An instance closes an idle connection after its time: a request must not be on the way by then. */
const HINT_MARGIN_MS = 2_000

export interface TimeoutOptions {
  /** The longest wait for a connection, in ms of awake time; 0: no limit. */
  connectTimeoutMs?: number
  /** The longest wait for the head of a response, after the request was written. */
  headersTimeoutMs?: number
  /** The longest silence within the body of a response. */
  bodyTimeoutMs?: number
}

export interface PoolOptions {
  /** Pools can share them; without it, there is no limit. */
  timeouts?: Timeouts
  /** How long an idle connection is used. */
  keepAliveMs?: number
  connect?: TlsOptions
}

const noHead: RequestHead = { text: '', bodyBytes: 0, isLast: true }

/**
 * The connections to one instance. A request uses the last idle connection, or opens another one: the
 * caller limits the requests in flight.
 *
 * A request on a used connection is written after the event loop has read all sockets again. So a
 * connection that the instance has closed by then is not used, and bytes that no request expects end
 * their connection and are no response. It takes two turns: the present one may have read them already.
 * A connection that became idle during these turns was not read again: it is for later requests.
 */
export class Pool implements CallOwner, ConnectionOwner {
  readonly endpoint: Endpoint
  readonly timeouts: Timeouts
  readonly #host: string
  readonly #keepAliveMs: number
  readonly #connections = new Set<Connection>()
  #idle: Connection[] = []
  /** Requests for idle connections, before and after the end of the turn in which they came. */
  #waiting: Call[] = []
  #ready: Call[] = []
  #turns = 0
  #calls = 0
  #isSweepPlanned = false
  #onDrained: (() => void) | undefined
  #isClosed = false
  readonly #onTurn = (): void => this.#turn()
  readonly #onRead = (): void => this.#sendReady()

  constructor(origin: string, options: PoolOptions = {}) {
    const { timeouts = createTimeouts({}), keepAliveMs = 4_000 } = options
    this.endpoint = endpointOf(origin, options.connect ?? {})
    this.timeouts = timeouts
    this.#host = new URL(origin).host
    this.#keepAliveMs = keepAliveMs
  }

  /** Sends a request. Its handler may get `onError` within this call. */
  send(request: ClientRequest, handler: ResponseHandler): Call {
    let head = noHead
    let error: Error | undefined
    if (this.#isClosed) error = new ClientError('closed', 'the pool is closed')
    else {
      try {
        head = writeRequestHead(request, this.#host)
      } catch (thrown) {
        error = toError(thrown)
      }
    }
    const call = new Call(request, head, handler, this)
    this.#calls += 1
    if (error) call.fail(error)
    else if (request.isUpgrade || !this.#hasIdle()) this.#open(call)
    else if (this.#waiting.push(call) === 1) setImmediate(this.#onTurn)
    return call
  }

  /** Closes the connections after the requests in flight. No further request is sent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#closeIdle(Infinity)
    if (this.#calls === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = this.#onDrained
    this.#onDrained = () => {
      before?.()
      resolve()
    }
    await promise
  }

  /** Closes the connections now. Requests in flight end with `onError`. */
  destroy(): void {
    this.#isClosed = true
    const error = new ClientError('closed', 'the pool is closed')
    for (const call of [...this.#waiting, ...this.#ready]) call.fail(error)
    for (const connection of [...this.#connections]) connection.fail(error)
  }

  onCallEnd(): void {
    this.#calls -= 1
    if (this.#calls === 0) this.#onDrained?.()
  }

  onIdle(connection: Connection, keepAliveS: number): void {
    const hintMs = keepAliveS < 0 ? Infinity : keepAliveS * 1_000 - HINT_MARGIN_MS
    const keepAliveMs = Math.min(this.#keepAliveMs, hintMs)
    if (this.#isClosed || keepAliveMs <= 0) return connection.fail(idleError())
    connection.idleUntilMs = performance.now() + keepAliveMs
    connection.idleSinceTurn = this.#turns
    connection.ref(false)
    this.#idle.push(connection)
    if (!this.#isSweepPlanned) this.#planSweep(keepAliveMs)
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  /** Whether an idle connection has no request that waits for it. */
  #hasIdle(): boolean {
    return this.#idle.length > this.#waiting.length + this.#ready.length
  }

  #turn(): void {
    this.#turns += 1
    this.#ready = this.#ready.length === 0 ? this.#waiting : [...this.#ready, ...this.#waiting]
    this.#waiting = []
    setImmediate(this.#onRead)
  }

  #sendReady(): void {
    const nowMs = performance.now()
    // A handler may destroy the pool: the calls that are left must be found then.
    for (let call = this.#ready.shift(); call; call = this.#ready.shift()) {
      if (call.isOver) continue
      const connection = this.#takeIdle(nowMs)
      if (connection) connection.send(call)
      else this.#open(call)
    }
  }

  /**
   * Takes the connection that was used last, so that the others can become old. It was idle before the
   * last turn, so that its socket was read again.
   */
  #takeIdle(nowMs: number): Connection | undefined {
    for (let at = this.#idle.length - 1; at >= 0; at -= 1) {
      const connection = this.#idle[at]
      if (!connection || connection.idleSinceTurn === this.#turns) continue
      this.#idle.splice(at, 1)
      if (connection.isUsableAt(nowMs)) {
        connection.ref(true)
        return connection
      }
      connection.fail(idleError())
    }
    return undefined
  }

  #open(call: Call): void {
    try {
      this.#connections.add(new Connection(this, call))
    } catch (error) {
      call.fail(toError(error))
    }
  }

  #planSweep(ms: number): void {
    this.#isSweepPlanned = true
    setTimeout(() => this.#sweep(), ms).unref()
  }

  #sweep(): void {
    this.#isSweepPlanned = false
    const nowMs = performance.now()
    this.#closeIdle(nowMs)
    if (this.#idle.length === 0) return
    const nextMs = Math.min(...this.#idle.map(({ idleUntilMs }) => idleUntilMs))
    this.#planSweep(nextMs - nowMs)
  }

  /** Closes the connections that are idle until then at the longest. */
  #closeIdle(untilMs: number): void {
    for (const connection of this.#idle.slice()) {
      if (connection.idleUntilMs <= untilMs) connection.fail(idleError())
    }
  }
}

/** Creates the timeouts of the pools of one upstream. */
export function createTimeouts(options: TimeoutOptions): Timeouts {
  return {
    connect: deadlinesOf(options.connectTimeoutMs),
    head: deadlinesOf(options.headersTimeoutMs),
    body: deadlinesOf(options.bodyTimeoutMs),
  }
}

function deadlinesOf(ms = 0): Deadlines | undefined {
  return ms > 0 ? createDeadlines({ ms }) : undefined
}

function idleError(): ClientError {
  return new ClientError('closed', 'the connection was idle')
}
