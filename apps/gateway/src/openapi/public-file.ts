import { hash } from 'node:crypto'
import { chooseEncoding, compress, type Encoding } from './encoding.ts'

/** A response that is the same for every caller. */
export interface PublicFile {
  /**
   * Returns 200 with the body in an encoding that the client accepts, or 304 if the client has it. A
   * HEAD request gets the same headers.
   */
  respond(request: Request): Promise<Response>
}

/**
 * Serves a body from memory. It is read and compressed at its first request, once for each encoding.
 *
 * Only such responses are compressed. The size of a compressed body reveals a secret in it to a client
 * that can add text to it (BREACH). A public body has no secret and no text of a client.
 *
 * @param load returns the body; called again after a failure
 * @param headers further headers, such as a policy
 * @param encode compresses a body; called again after a failure
 */
export function createPublicFile({
  load,
  type,
  cacheControl,
  headers = {},
  encode = compress,
}: {
  load: () => Buffer | Promise<Buffer>
  type: string
  cacheControl: string
  headers?: Readonly<Record<string, string>>
  encode?: typeof compress
}): PublicFile {
  const bodies = new Map<Encoding | 'identity', Promise<Uint8Array<ArrayBuffer>>>()
  let original: Promise<{ body: Buffer; digest: string }> | undefined

  async function read() {
    const body = await load()
    return { body, digest: hash('sha256', body, 'base64url').slice(0, 22) }
  }

  function readOnce() {
    original ??= read().catch((error: unknown) => {
      original = undefined
      throw error
    })
    return original
  }

  function encodeOnce(body: Buffer, encoding: Encoding | undefined) {
    const key = encoding ?? 'identity'
    const cached = bodies.get(key)
    if (cached) return cached
    const encoded = encoding ? encode(body, encoding) : Promise.resolve(body)
    const bytes = encoded
      .then((buffer) => new Uint8Array(buffer))
      .catch((error: unknown) => {
        bodies.delete(key)
        throw error
      })
    bodies.set(key, bytes)
    return bytes
  }

  return {
    async respond(request) {
      const { body, digest } = await readOnce()
      const encoding = chooseEncoding(
        request.headers.get('accept-encoding') ?? undefined,
        body.length,
      )
      // RFC 9110 8.8.3.3: two encodings of one body have different tags.
      const tag = `"${digest}${encoding ? `-${encoding}` : ''}"`
      const shared = {
        ...headers,
        etag: tag,
        // It replaces the Vary of the gateway.
        vary: 'Accept-Encoding, Origin',
        'cache-control': cacheControl,
      }
      if (matches(request.headers.get('if-none-match'), tag)) {
        return new Response(null, { status: 304, headers: shared })
      }
      const bytes = await encodeOnce(body, encoding)
      return new Response(request.method === 'HEAD' ? null : bytes, {
        headers: {
          ...shared,
          'content-type': type,
          'content-length': String(bytes.length),
          ...(encoding && { 'content-encoding': encoding }),
        },
      })
    },
  }
}

/** RFC 9110 13.1.2: the tags are compared without the mark of a weak one. */
function matches(header: string | null, tag: string): boolean {
  if (header === null) return false
  if (header.trim() === '*') return true
  return header.split(',').some((each) => each.trim().replace(/^W\//, '') === tag)
}
