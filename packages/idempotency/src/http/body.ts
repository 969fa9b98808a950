import type { HonoRequest } from 'hono'

/** The bytes of a body, unless it is too large. */
export interface ReadBody {
  readonly bytes: Buffer
  /** The body as a stream from its first byte, if it is too large; undefined: `bytes` is all of it. */
  readonly whole: ReadableStream<Uint8Array> | undefined
}

const EMPTY = Buffer.alloc(0)

/**
 * Reads a body up to a limit. A reader costs less than `arrayBuffer`, and stops at the limit.
 *
 * @throws the error of the stream
 */
export async function readBody(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<ReadBody> {
  if (body === null) return { bytes: EMPTY, whole: undefined }
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    size += value.byteLength
    if (size > maxBytes) return { bytes: EMPTY, whole: resume(chunks, reader) }
  }
  const [first] = chunks
  if (chunks.length !== 1 || first === undefined) {
    return { bytes: Buffer.concat(chunks, size), whole: undefined }
  }
  return { bytes: Buffer.from(first.buffer, first.byteOffset, first.byteLength), whole: undefined }
}

/** A body that is too large, and is not read now. */
export function leaveBody(whole: ReadableStream<Uint8Array>): ReadBody {
  return { bytes: EMPTY, whole }
}

/** A stream of the chunks that were read, and then of the rest. */
function resume(
  chunks: Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const first = chunks.shift()
      if (first) return controller.enqueue(first)
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** As `Body.text`: without a byte order mark, and with a replacement for each fault. */
const decoder = new TextDecoder()

/**
 * Reads the body of a request, so that `c.req` still returns it byte by byte.
 *
 * @returns undefined if it has more than `maxBytes`
 */
export async function readRequestBody(
  request: HonoRequest,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const { headers } = request.raw
  const declared = headers.get('content-length')
  if (declared !== null && Number(declared) > maxBytes) return undefined
  let bytes: Uint8Array
  if (declared !== null || Object.keys(request.bodyCache).length > 0) {
    bytes = new Uint8Array(await request.arrayBuffer())
  } else {
    const read = await readBody(request.raw.body, maxBytes)
    if (read.whole) {
      await read.whole.cancel()
      return undefined
    }
    bytes = toOwned(read.bytes)
    cacheBody(request, 'arrayBuffer', bytes.buffer)
  }
  if (bytes.byteLength > maxBytes) return undefined
  // Hono converts a cached body by a Response, which costs more than the whole claim.
  if (headers.get('content-type')?.startsWith('application/json')) {
    cacheBody(request, 'text', decoder.decode(bytes))
  }
  return bytes
}

/** The bytes in an array buffer of their length. */
function toOwned({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  const isWhole = byteOffset === 0 && byteLength === buffer.byteLength
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  return isWhole ? bytes : bytes.slice()
}

/** The cache of Hono has promises, and its type declares their values. */
function cacheBody(request: HonoRequest, kind: 'arrayBuffer' | 'text', body: unknown): void {
  Reflect.set(request.bodyCache, kind, Promise.resolve(body))
}
