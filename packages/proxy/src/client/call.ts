import { notify } from '../hooks.ts'
import type { ClientRequest, RequestHead, ResponseHandler } from './request.ts'

/** The pool to which a call belongs. */
export interface CallOwner {
  onCallEnd(): void
}

/** The connection of a call. */
export interface CallConnection {
  pause(): void
  resume(): void
  fail(error: Error): void
}

/** One request of a pool, from `send` to its last event. */
export class Call {
  readonly request: ClientRequest
  readonly head: RequestHead
  readonly handler: ResponseHandler
  isOver = false
  isPaused = false
  /** Whether the body of the response may be silent for any time. Its head may decide it. */
  isStream: boolean
  /** The connection that is being opened for the request, or has it. */
  connection: CallConnection | undefined
  readonly #owner: CallOwner

  constructor(
    request: ClientRequest,
    head: RequestHead,
    handler: ResponseHandler,
    owner: CallOwner,
  ) {
    this.request = request
    this.isStream = request.isStream === true
    this.head = head
    this.handler = handler
    this.#owner = owner
  }

  /** Stops reading the response. At most the bytes that were already read follow. */
  pause(): void {
    if (this.isPaused || this.isOver) return
    this.isPaused = true
    this.connection?.pause()
  }

  resume(): void {
    if (!this.isPaused || this.isOver) return
    this.isPaused = false
    this.connection?.resume()
  }

  /** Ends the request with `onError`. A request that was not sent yet is never sent. */
  abort(reason: Error): void {
    if (this.isOver) return
    if (this.connection) this.connection.fail(reason)
    else this.fail(reason)
  }

  /** Ends the request without an event. The caller sends the last one. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.#owner.onCallEnd()
  }

  fail(error: Error): void {
    if (this.isOver) return
    this.end()
    notify(() => this.handler.onError(error))
  }
}
