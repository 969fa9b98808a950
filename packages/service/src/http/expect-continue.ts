/* oxlint-disable no-underscore-dangle -- node:stream calls the first read of a body `_read` */
import { IncomingMessage, type ServerResponse } from 'node:http'

/**
 * Sends `100 Continue` when the body of the request is first read (RFC 9110 10.1.1). A request that is
 * refused before gets its response without the 100. The connection is closed after the response: its
 * next bytes could be the body or a request.
 *
 * A proxy reads a body before it chooses an instance, so it sends the 100 before the instance decides.
 */
export function continueWhenRead(req: IncomingMessage, res: ServerResponse): void {
  let isWaiting = true
  res.shouldKeepAlive = false
  req._read = function readBody(size) {
    if (isWaiting) {
      isWaiting = false
      if (!res.headersSent) res.writeContinue()
    }
    IncomingMessage.prototype._read.call(req, size)
  }
}
