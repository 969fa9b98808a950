import type { Duplex } from 'node:stream'
import type { ResponseHead } from '../client/head.ts'
import type { Pool } from '../client/pool.ts'
import type { ResponseHandler } from '../client/request.ts'

/** The response to a health check: its status counts, and its body is read and dropped. */
class StatusReader implements ResponseHandler {
  readonly #read = Promise.withResolvers<number>()
  readonly status = this.#read.promise
  #statusCode = 0

  onSent(): void {}

  onInformation(): void {}

  onHead({ statusCode }: ResponseHead): void {
    this.#statusCode = statusCode
  }

  onData(): void {}

  onEnd(): void {
    this.#read.resolve(this.#statusCode)
  }

  onUpgrade(_head: ResponseHead, socket: Duplex): void {
    this.onError(new Error('the response changes the protocol'))
    socket.destroy()
  }

  onError(error: Error): void {
    this.#read.reject(error)
  }
}

/** Requests a path, and returns the status of the complete response. Rejects with the error of the client. */
export async function readStatus(pool: Pool, path: string, signal: AbortSignal): Promise<number> {
  const reader = new StatusReader()
  const call = pool.send({ method: 'GET', path, headers: [], body: null }, reader)
  const abort = (): void => {
    const { reason } = signal
    call.abort(reason instanceof Error ? reason : new Error('aborted'))
  }
  signal.addEventListener('abort', abort)
  try {
    return await reader.status
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
