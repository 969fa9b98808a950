import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TraceAttempt } from './attempt/attempt-trace.ts'
import { BodyGuard } from './body/body-guard.ts'
import { type Forwarded, forwardedNames } from './forwarded.ts'
import type { Hold } from './held/hold.ts'
import { readOptions, requireProxyOptions } from './options.ts'
import { answerProblem, type ProxyProblem } from './problem.ts'
import { hopByHopAnd, type RawHeaders } from './raw-headers.ts'
import { DEADLINE_HEADER, RequestDeadlines } from './request-deadlines.ts'
import type { PickContext, Upstream } from './upstream/upstream.ts'

export interface ProxyOptions<Context> {
  /** The upstream of a request. A function that returns undefined leads to `no_instance`. */
  upstream: Upstream | ((req: IncomingMessage, context: Context) => Upstream | undefined)
  /** The handling of received X-Forwarded headers; `set` by default. */
  forwarded?: Forwarded
  /** Request headers of the sender that are dropped, such as the identity that a hook adds. */
  dropRequestHeaders?: readonly string[]
  /** The group of instances of a request, or a key that keeps its user in one group. */
  pickContext?: (req: IncomingMessage, context: Context) => PickContext | undefined
  /** Called before the request is sent to an instance, with its origin and the number of tries. */
  onTry?: (req: IncomingMessage, context: Context, origin: string, tries: number) => void
  /**
   * Changes the request headers in place, after dropping and forwarding. `body` is the whole body of
   * the request if it has one of at most `bufferBytes`, and undefined otherwise.
   */
  requestHeaders?: (
    headers: RawHeaders,
    req: IncomingMessage,
    context: Context,
    body?: Buffer,
  ) => void
  /**
   * Called once for each request. Its result begins the trace of each attempt, whose `traceparent` is
   * sent. Undefined if the request is not recorded.
   */
  trace?: (req: IncomingMessage, context: Context) => TraceAttempt | undefined
  /** Changes the response headers in place, before they are sent. */
  responseHeaders?: (
    headers: RawHeaders,
    req: IncomingMessage,
    context: Context,
    statusCode: number,
  ) => void
  /** Writes a response of the proxy itself. No response has begun when it is called. */
  onProblem?: (req: IncomingMessage, res: ServerResponse, problem: ProxyProblem) => void
  maxBodyBytes?: number
  /** The number of further instances that are tried. */
  retries?: number
  /**
   * Whether a request that may have run can run again, because its key makes it idempotent. It is
   * called for other methods than the idempotent ones of RFC 9110.
   */
  mayRepeat?: (req: IncomingMessage, context: Context) => boolean
  /**
   * Holds a request until its whole body is in memory, up to `maxBodyBytes`, and decides about it
   * before an instance is chosen: a response without an instance, or a claim that stores the response of
   * one. Undefined: the request is an ordinary one. Handshakes of WebSockets are not held.
   */
  hold?: (req: IncomingMessage, context: Context) => Hold | undefined
  /**
   * A body of at most this size is complete before an instance is chosen and a connection is used;
   * 64 KiB by default. A larger one is streamed.
   */
  bufferBytes?: number
  /** The limits of bodies that clients are sending, shared with other proxies; by default a new guard. */
  bodyGuard?: BodyGuard
  /** The client to which a body counts; by default the address of the sender, or the last one of X-Forwarded-For with `append`. */
  clientOf?: (req: IncomingMessage, context: Context) => string
  /**
   * The longest time from the request to the end of its response, in ms; 504 at its end. Instances
   * receive the remaining time as `x-request-deadline`. Event streams have no deadline.
   */
  deadlineMs?: number | ((req: IncomingMessage, context: Context) => number | undefined)
}

/** The options of a proxy with their defaults, and the state that all its requests share. */
export interface Settings<Context> {
  readonly upstream: ProxyOptions<Context>['upstream']
  readonly forwarded: Forwarded
  readonly dropped: ReadonlySet<string>
  readonly pickContext: ProxyOptions<Context>['pickContext']
  readonly onTry: ProxyOptions<Context>['onTry']
  readonly requestHeaders: ProxyOptions<Context>['requestHeaders']
  readonly trace: ProxyOptions<Context>['trace']
  readonly responseHeaders: ProxyOptions<Context>['responseHeaders']
  readonly onProblem: NonNullable<ProxyOptions<Context>['onProblem']>
  readonly maxBodyBytes: number
  readonly bufferBytes: number
  readonly retries: number
  readonly mayRepeat: ProxyOptions<Context>['mayRepeat']
  readonly hold: ProxyOptions<Context>['hold']
  readonly clientOf: (req: IncomingMessage, context: Context) => string
  readonly deadlineMs: ProxyOptions<Context>['deadlineMs']
  readonly guard: BodyGuard
  readonly deadlines: RequestDeadlines
}

/** @throws ProxyError `bad-option` */
export function createSettings<Context>(proxyOptions: ProxyOptions<Context>): Settings<Context> {
  const options = readOptions(proxyOptions)
  requireProxyOptions(options)
  const { upstream, forwarded = 'set', dropRequestHeaders = [] } = options
  return {
    upstream,
    forwarded,
    dropped: hopByHopAnd([
      ...dropRequestHeaders,
      ...(forwarded === 'set' ? [...forwardedNames, DEADLINE_HEADER] : []),
    ]),
    pickContext: options.pickContext,
    onTry: options.onTry,
    requestHeaders: options.requestHeaders,
    trace: options.trace,
    responseHeaders: options.responseHeaders,
    onProblem: options.onProblem ?? answerProblem,
    maxBodyBytes: options.maxBodyBytes ?? Infinity,
    bufferBytes: options.bufferBytes ?? 65_536,
    retries: options.retries ?? 2,
    mayRepeat: options.mayRepeat,
    hold: options.hold,
    clientOf: options.clientOf ?? (forwarded === 'append' ? forwardedAddressOf : addressOf),
    deadlineMs: options.deadlineMs,
    guard: options.bodyGuard ?? new BodyGuard(),
    deadlines: new RequestDeadlines(),
  }
}

function addressOf(req: IncomingMessage): string {
  return req.socket.remoteAddress ?? ''
}

/** The address that the trusted proxy before this one has added. */
function forwardedAddressOf(req: IncomingMessage): string {
  const addresses = req.headers['x-forwarded-for']?.toString() ?? ''
  return addresses.slice(addresses.lastIndexOf(',') + 1).trim() || addressOf(req)
}
