import { CacheError } from '../errors.ts'

/** @throws CacheError `too-large`; what the stream is interrupted by */
export async function readBody(stream: unknown, maxBytes: number): Promise<Uint8Array> {
  if (!isStream(stream)) {
    throw new CacheError('unserialisable', 'the value of an entry of Next is no ReadableStream')
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    if (!ArrayBuffer.isView(chunk)) {
      throw new CacheError('unserialisable', 'the value of an entry of Next is no stream of bytes')
    }
    bytes += chunk.byteLength
    if (bytes > maxBytes) {
      throw new CacheError('too-large', `an entry of Next has more than ${maxBytes} bytes`)
    }
    chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  }
  return new Uint8Array(Buffer.concat(chunks, bytes))
}

/** Also one of another realm, such as a sandbox of Next. */
function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** A new stream of the bytes, for one reader. */
export function streamOf(body: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(body)
      controller.close()
    },
  })
}
