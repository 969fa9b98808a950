import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

const lingerMs = 2_000

/**
 * Reads and discards the rest of a refused request, so that a TCP reset does not discard the response
 * while the client still writes. A client that writes for longer than 2 s is cut off.
 */
export function discardRest(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return
  req.resume()
  const timer = setTimeout(() => req.socket.destroy(), lingerMs).unref()
  req.once('close', () => clearTimeout(timer))
}

export interface RequestBody {
  readonly stream: Readable
  /** Bytes may have been read from the client, so the request cannot be sent a second time. */
  readonly isStarted: boolean
}

/**
 * Returns the body of `req` as a separate stream. No byte is read before a connection requests it,
 * and undici can destroy the stream without the socket of the client. A body over `maxBytes` calls
 * `onTooLarge` and destroys the stream.
 */
export function createRequestBody(
  req: IncomingMessage,
  { maxBytes, onTooLarge }: { maxBytes: number; onTooLarge: () => void },
): RequestBody {
  let isStarted = false
  let bytes = 0

  function onData(chunk: Buffer): void {
    bytes += chunk.length
    if (bytes > maxBytes) {
      onTooLarge()
      stream.destroy()
    } else if (!stream.push(chunk)) {
      req.pause()
    }
  }

  const onEnd = (): void => {
    stream.push(null)
  }

  const stream = new Readable({
    read() {
      if (isStarted) {
        req.resume()
      } else {
        isStarted = true
        req.on('data', onData).on('end', onEnd)
      }
    },
    destroy(_error, done) {
      // The error is not emitted: undici has it, and removes its listener before the event.
      req.off('data', onData).off('end', onEnd)
      discardRest(req)
      done(null)
    },
  })

  return {
    stream,
    get isStarted() {
      return isStarted
    },
  }
}
