export type ClientErrorCode =
  /** The head cannot be written and is not sent, or the streamed body has another length. */
  | 'invalid_request'
  /** No connection in time. */
  | 'connect_timeout'
  /** No head of a response in time. */
  | 'head_timeout'
  /** Silence within the body of a response. */
  | 'body_timeout'
  /** The head or the trailers of a response are larger than 16 KiB. */
  | 'head_too_large'
  /** The response is malformed, or bytes arrived that no request expects. */
  | 'bad_response'
  /** The connection was reset before the request was complete: its response may be lost. */
  | 'unread_body'
  /** The connection was closed before the end of the response. */
  | 'closed'

/** The reason why a request has no complete response. A connection that fails has the error of Node.js. */
export class ClientError extends Error {
  override name = 'ClientError'
  readonly code: ClientErrorCode

  constructor(code: ClientErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
