import type { Socket } from 'node:net'
import type { Deadline, Deadlines } from '@repo/concurrency'
import { toError } from '../problem.ts'
import { type BodyOwner, BodyWriter } from './body-writer.ts'
import type { Call } from './call.ts'
import { ClientError, type ClientErrorCode } from './client-error.ts'
import type { ResponseHead } from './head.ts'
import { ResponseParser, type ResponseSink } from './response-parser.ts'
import { type Endpoint, openSocket, type SocketReader } from './socket.ts'

/** A body up to this size is written together with its head. */
const SMALL_BODY_BYTES = 16_384

/** The times that a connection waits for the instance; undefined: without a limit. */
export interface Timeouts {
  readonly connect: Deadlines | undefined
  readonly head: Deadlines | undefined
  readonly body: Deadlines | undefined
}

/** The pool of a connection. */
export interface ConnectionOwner {
  readonly endpoint: Endpoint
  readonly timeouts: Timeouts
  /** The connection can send another request. @param keepAliveS the hint of the instance; -1: none */
  onIdle(connection: Connection, keepAliveS: number): void
  /** The connection is closed, or no longer one of the pool. */
  onClosed(connection: Connection): void
}

/**
 * A connection to an instance, with one request at a time. It opens for its first request. An error of the
 * socket, of the parser or of a handler ends the connection and its request, and never the process.
 */
export class Connection implements ResponseSink, BodyOwner, SocketReader {
  /** The time until which an idle connection is used. */
  idleUntilMs = 0
  /** The number of the turn in which the connection became idle. */
  idleSinceTurn = 0
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  readonly #parser = new ResponseParser(this)
  /** The request without a complete response. */
  #call: Call | undefined
  /** The rest of its body. */
  #body: BodyWriter | undefined
  #hasHead = false
  #keepAliveS = -1
  #isClosed = false
  #deadlines: Deadlines | undefined
  #deadline: Deadline | undefined
  #lateCode: ClientErrorCode = 'connect_timeout'
  readonly #onLate = (): void => this.fail(lateError(this.#lateCode))

  constructor(owner: ConnectionOwner, call: Call) {
    this.#owner = owner
    this.#call = call
    call.connection = this
    this.#socket = openSocket(owner.endpoint, this, call.request.isUpgrade === true)
    this.#socket
      .on('end', this.#onEndOfStream)
      .on('error', this.#onSocketError)
      .on('close', this.#onSocketClose)
    this.#watch(owner.timeouts.connect, 'connect_timeout')
  }

  /**
   * Whether an idle connection can still be used. A response may precede the end of its request: the
   * next request would wait behind the rest of the body. The check is made here and not at the end of
   * the response, because a TLS socket reports the end of a write one turn later.
   */
  isUsableAt(nowMs: number): boolean {
    return this.idleUntilMs > nowMs && this.#socket.writableLength === 0
  }

  onConnect(): void {
    this.#unwatch()
    if (this.#call) this.send(this.#call)
  }

  /** Writes a request. The connection must have no other one. */
  send(call: Call): void {
    this.#call = call
    call.connection = this
    try {
      this.#parser.expect(call.request.method, call.request.isUpgrade === true)
      call.handler.onSent()
      if (!call.isOver) this.#write(call)
    } catch (error) {
      this.fail(toError(error))
    }
  }

  #write({ head, request }: Call): void {
    const { body } = request
    const socket = this.#socket
    if (body === null || Buffer.isBuffer(body)) {
      if (body === null || body.length === 0) {
        socket.write(head.text, 'latin1')
      } else if (body.length <= SMALL_BODY_BYTES) {
        // One string is one write, without a list of buffers.
        socket.write(head.text + body.toString('latin1'), 'latin1')
      } else {
        socket.cork()
        socket.write(head.text, 'latin1')
        socket.write(body)
        socket.uncork()
      }
      return this.#watch(this.#owner.timeouts.head, 'head_timeout')
    }
    socket.write(head.text, 'latin1')
    this.#body = new BodyWriter(socket, body, head.bodyBytes, this)
    this.#body.start()
  }

  onRead(bytes: Buffer): void {
    try {
      this.#parser.read(bytes)
      if (this.#hasHead) this.#watchBody()
    } catch (error) {
      this.fail(toError(error))
    }
  }

  /** The timeout of the head continues: an instance that sends only these gives no response. */
  onInformation(head: ResponseHead): void {
    this.#call?.handler.onInformation(head)
  }

  onHead(head: ResponseHead): void {
    this.#unwatch()
    this.#hasHead = true
    this.#keepAliveS = head.keepAliveS
    this.#call?.handler.onHead(head)
  }

  onData(chunk: Buffer): void {
    this.#call?.handler.onData(chunk)
  }

  onEnd(isReusable: boolean): void {
    const call = this.#call
    if (!call) return
    this.#call = undefined
    this.#hasHead = false
    this.#unwatch()
    call.end()
    // A request whose body is incomplete cannot be followed by another one.
    const isIdle = isReusable && !call.head.isLast && !this.#body
    if (!isIdle) this.#close()
    else {
      if (call.isPaused) this.#socket.resume()
      this.#owner.onIdle(this, this.#keepAliveS)
    }
    call.handler.onEnd()
  }

  onUpgrade(head: ResponseHead, rest: Buffer): void {
    const call = this.#call
    if (!call) return
    const socket = this.#socket
    this.#call = undefined
    this.#isClosed = true
    this.#unwatch()
    call.end()
    this.#owner.onClosed(this)
    socket.removeAllListeners('data').off('end', this.#onEndOfStream)
    socket.off('error', this.#onSocketError).off('close', this.#onSocketClose)
    socket.on('error', destroySocket)
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    try {
      call.handler.onUpgrade(head, socket)
      socket.resume()
    } catch {
      // The handler reports its errors itself.
      socket.destroy()
    }
  }

  pause(): void {
    this.#unwatch()
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
    if (this.#hasHead) this.#watchBody()
  }

  onBodyBlocked(isBlocked: boolean): void {
    if (this.#hasHead) return
    if (isBlocked) this.#watch(this.#owner.timeouts.head, 'head_timeout')
    else this.#unwatch()
  }

  onBodyWritten(): void {
    this.#body = undefined
    if (!this.#hasHead) this.#watch(this.#owner.timeouts.head, 'head_timeout')
  }

  onBodyFailed(error: Error): void {
    this.fail(error)
  }

  /** Keeps an idle connection from being the reason that the process continues. */
  ref(isUsed: boolean): void {
    if (isUsed) this.#socket.ref()
    else this.#socket.unref()
  }

  /** Ends the connection, and its request with `onError`. */
  fail(error: Error): void {
    if (this.#isClosed) return
    const call = this.#call
    this.#call = undefined
    this.#close()
    call?.fail(error)
  }

  /** Ends the connection without an event of its request. */
  #close(): void {
    this.#isClosed = true
    this.#hasHead = false
    this.#unwatch()
    this.#body?.destroy()
    this.#body = undefined
    this.#socket.destroy()
    this.#owner.onClosed(this)
  }

  readonly #onEndOfStream = (): void => {
    try {
      this.#parser.finish()
    } catch (error) {
      return this.fail(toError(error))
    }
    this.fail(new ClientError('closed', 'the instance closed the connection'))
  }

  /**
   * RFC 9112 9.6: an instance that responds early and closes may reset the connection before its
   * response was read. Node.js closes the socket at a failed write, so that the response is lost.
   */
  readonly #onSocketError = (error: Error & { code?: string }): void => {
    const isReset = error.code === 'EPIPE' || error.code === 'ECONNRESET'
    if (!isReset || !this.#body || this.#hasHead) return this.fail(error)
    this.fail(new ClientError('unread_body', 'the connection was reset within the request'))
  }

  readonly #onSocketClose = (): void =>
    this.fail(new ClientError('closed', 'the connection was closed'))

  #watchBody(): void {
    const call = this.#call
    if (!call || call.isPaused || call.isStream) return
    this.#watch(this.#owner.timeouts.body, 'body_timeout')
  }

  #watch(deadlines: Deadlines | undefined, code: ClientErrorCode): void {
    this.#unwatch()
    if (!deadlines || this.#isClosed) return
    this.#deadlines = deadlines
    this.#lateCode = code
    this.#deadline = deadlines.start(this.#onLate)
  }

  #unwatch(): void {
    if (!this.#deadline) return
    this.#deadlines?.end(this.#deadline)
    this.#deadline = undefined
  }
}

function lateError(code: ClientErrorCode): ClientError {
  if (code === 'connect_timeout') return new ClientError(code, 'no connection in time')
  if (code === 'head_timeout') return new ClientError(code, 'no head of a response in time')
  return new ClientError(code, 'the body of the response was silent for too long')
}

function destroySocket(this: Socket): void {
  this.destroy()
}
