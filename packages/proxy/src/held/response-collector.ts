import type { ResponseSource } from '../attempt/attempt.ts'
import { GrowingBuffer } from '../body/growing-buffer.ts'
import type { ResponseHead } from '../client/head.ts'
import { headersOf, isEventStream, isWritableHead } from '../response-head.ts'
import type { ResponseOutput, ResponseWriter } from '../response-writer.ts'
import type { CollectedResponse, WholeResponse } from './hold.ts'

/** The exchange to which a collected response belongs. */
export interface CollectorOwner {
  /** Ends the exchange and aborts its request at the instance. */
  abandon(reason: string): void
  /** Handles that the client has disconnected. */
  disconnect(): void
  onFault(error: unknown): void
}

export interface CollectorOptions {
  readonly maxResponseBytes: number
  /** Receives the response before the client. It never rejects. */
  readonly complete: (response: CollectedResponse) => Promise<WholeResponse | undefined>
  readonly writer: ResponseWriter
  readonly owner: CollectorOwner
}

const NO_BYTES = Buffer.alloc(0)

/**
 * Collects the response of an instance, and sends it when it is stored. A response that is too large is
 * stored without its body when this is evident, and then streamed. `start` begins again: an instance may
 * have broken off its response.
 */
export class ResponseCollector implements ResponseOutput {
  /** The client receives the response as the instance sends it. */
  isStreaming = false
  readonly #options: CollectorOptions
  #head: ResponseHead | undefined
  #body: GrowingBuffer
  #source: ResponseSource | undefined
  #isCompleting = false
  #hasEnded = false

  constructor(options: CollectorOptions) {
    this.#options = options
    this.#body = new GrowingBuffer(options.maxResponseBytes)
  }

  start(head: ResponseHead): void {
    if (!isWritableHead(head)) throw new RangeError('the head of the response cannot be written')
    const { maxResponseBytes } = this.#options
    this.#head = head
    this.#body = new GrowingBuffer(maxResponseBytes)
    if (isEventStream(head) || head.contentLength > maxResponseBytes) this.#complete(head, true)
  }

  /** @param chunk is valid during the call only */
  write(source: ResponseSource, chunk: Buffer): void {
    if (this.isStreaming) return this.#options.writer.write(source, chunk)
    this.#source = source
    // The first part of a `GrowingBuffer` is not copied.
    this.#body.append(this.#body.length === 0 ? Buffer.from(chunk) : chunk)
    if (this.#isCompleting) return source.pause()
    if (this.#body.length <= this.#options.maxResponseBytes || !this.#head) return
    source.pause()
    this.#complete(this.#head, true)
  }

  end(): void {
    this.#hasEnded = true
    if (this.isStreaming) this.#options.writer.end()
    else if (!this.#isCompleting && this.#head) this.#complete(this.#head, false)
  }

  #complete(head: ResponseHead, isBodyOmitted: boolean): void {
    this.#isCompleting = true
    const response = {
      statusCode: head.statusCode,
      headers: headersOf(head),
      body: isBodyOmitted ? NO_BYTES : this.#body.bytes(),
      isBodyOmitted,
    }
    void this.#options
      .complete(response)
      .then((replacement) => this.#send(head, response, replacement))
      .catch((error: unknown) => this.#options.owner.onFault(error))
  }

  #send(head: ResponseHead, response: CollectedResponse, replacement?: WholeResponse): void {
    const { writer, owner } = this.#options
    if (replacement) owner.abandon('another response is stored')
    if (replacement || !response.isBodyOmitted) return writer.send(replacement ?? response)
    this.isStreaming = true
    // The response is stored. From here on the client can abort it.
    if (writer.isDisconnected) owner.disconnect()
    if (!writer.canBegin) return
    writer.start(head, response.headers)
    const source = this.#source
    if (source) {
      writer.write(source, this.#body.bytes())
      // Otherwise the writer resumes it when the client has read.
      if (!writer.isWaiting) source.resume()
    }
    this.#body.clear()
    if (this.#hasEnded) writer.end()
  }
}
