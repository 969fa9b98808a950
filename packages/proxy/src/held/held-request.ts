import { notifyAsync } from '../hooks.ts'
import type { ResponseWriter } from '../response-writer.ts'
import type { Hold, HoldDecision, RequestClaim, WholeResponse } from './hold.ts'
import { type CollectorOwner, ResponseCollector } from './response-collector.ts'

/** The exchange to which a held request belongs. */
export interface HeldOwner extends CollectorOwner {
  /** Whether the exchange has ended. */
  readonly isOver: boolean
  /** Sends the request to an instance. */
  send(): void
  onFault(error: unknown): void
}

const NO_BYTES = Buffer.alloc(0)

/**
 * A request that waits for a decision before it is sent. From its complete body until its response,
 * a client that disconnects does not end it, if it is claimed.
 */
export class HeldRequest {
  /** Receives the response of the instance, if the request is claimed. */
  collector: ResponseCollector | undefined
  readonly #hold: Hold
  readonly #writer: ResponseWriter
  readonly #owner: HeldOwner
  #isPending = false
  #claim: RequestClaim | undefined

  constructor(hold: Hold, writer: ResponseWriter, owner: HeldOwner) {
    this.#hold = hold
    this.#writer = writer
    this.#owner = owner
  }

  /** Whether a client that disconnects has no effect. */
  get isProtected(): boolean {
    return this.#isPending || this.collector?.isStreaming === false
  }

  /** Whether the response of an instance decides, so that no other instance gets the request. */
  get isDecided(): boolean {
    return this.collector !== undefined && this.#claim === undefined
  }

  begin(body: Buffer = NO_BYTES): void {
    this.#isPending = true
    void this.#begin(body)
  }

  async #begin(body: Buffer): Promise<void> {
    try {
      const decision = await this.#hold.begin(body)
      this.#isPending = false
      this.#apply(decision)
    } catch (error) {
      this.#isPending = false
      this.#owner.onFault(error)
    }
  }

  #apply(decision: HoldDecision): void {
    if (decision.outcome === 'claimed') return this.#run(decision.claim)
    // No instance has the request.
    if (this.#writer.isDisconnected) this.#owner.disconnect()
    if (this.#owner.isOver) return
    if (decision.outcome === 'forward') return this.#owner.send()
    this.#owner.abandon('the request needs no instance')
    if (decision.outcome === 'refuse') this.#writer.sendBy(decision.send)
    else this.#writer.send(decision.response)
  }

  #run(claim: RequestClaim): void {
    this.#claim = claim
    // The deadline of the request has ended.
    if (this.#owner.isOver) return void this.release()
    const complete = (response: Parameters<RequestClaim['complete']>[0]) => this.#complete(response)
    const { maxResponseBytes } = claim
    const options = { maxResponseBytes, complete, writer: this.#writer, owner: this.#owner }
    this.collector = new ResponseCollector(options)
    this.#owner.send()
  }

  async #complete(
    response: Parameters<RequestClaim['complete']>[0],
  ): Promise<WholeResponse | undefined> {
    const claim = this.#claim
    this.#claim = undefined
    return notifyAsync(async () => claim?.complete(response))
  }

  /** Ends the claim without a response, if there is one. It never rejects. */
  async release(): Promise<void> {
    const claim = this.#claim
    this.#claim = undefined
    await notifyAsync(async () => claim?.release())
  }
}
