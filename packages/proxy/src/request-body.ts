import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

const lingerMs = 2_000

/**
 * Reads the rest of a refused request to nowhere, so that the answer is not lost to a TCP reset
 * while the client still writes; who writes longer than 2 s is cut off.
 */
export function discardRest(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return
  req.resume()
  const timer = setTimeout(() => req.socket.destroy(), lingerMs).unref()
  req.once('close', () => clearTimeout(timer))
}

export interface RequestBody {
  readonly stream: Readable
  /** Bytes may have been taken from the client: the request cannot be sent a second time. */
  readonly isStarted: boolean
}

/**
 * The body of `req` as a stream of its own: nothing is read before a connection asks, and undici
 * may destroy it without taking the client's socket along. One byte over `maxBytes` destroys it,
 * after `onTooLarge`.
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
      // The error is not passed on: undici holds the original, and stops listening before it would come.
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
