import type { ServerResponse } from 'node:http'
import type { RawHeaders } from '../raw-headers.ts'

/** A response that is in memory. */
export interface WholeResponse {
  readonly statusCode: number
  /** Without the fields of RFC 9110 7.6.1. The proxy writes the length. */
  readonly headers: RawHeaders
  readonly body: Buffer
}

/** The response of an instance to a claimed request. */
export interface CollectedResponse extends WholeResponse {
  /** It is larger than `maxResponseBytes`, or an event stream. Then it is streamed, and `body` is empty. */
  readonly isBodyOmitted: boolean
}

/**
 * The exclusive right to run a request. One of its methods is called, and once only, also if the client
 * has disconnected.
 */
export interface RequestClaim {
  /** A body of at most this size is complete in memory before any part of the response is sent. */
  readonly maxResponseBytes: number
  /**
   * Receives the response of the instance before the client does, and can change its headers in place.
   * The client receives the result instead; undefined: the response. A rejection is a warning, and the
   * client receives the response.
   */
  complete(response: CollectedResponse): Promise<WholeResponse | undefined>
  /** Called if no instance has responded. The problem is sent after it. A rejection is a warning. */
  release(): Promise<void>
}

/**
 * The decision about a held request.
 * - `claimed`: it is sent to an instance. A client that disconnects does not abort it.
 * - `forward`: it is sent to an instance like any other request.
 * - `respond`: the client receives this response, with the changes of `responseHeaders`.
 * - `refuse`: the function sends a response.
 */
export type HoldDecision =
  | { readonly outcome: 'claimed'; readonly claim: RequestClaim }
  | { readonly outcome: 'forward' }
  | { readonly outcome: 'respond'; readonly response: WholeResponse }
  | { readonly outcome: 'refuse'; readonly send: (res: ServerResponse) => void }

/** Holds one request until its body is complete, and decides about it before an instance is chosen. */
export interface Hold {
  /** @param body the whole body; it is empty for a request without one. A rejection is a 500 */
  begin(body: Buffer): Promise<HoldDecision>
}
