import {
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto'
import { type Identity, readCaller, writeCaller } from './caller.ts'

/** The header of version 2. */
export const IDENTITY_2_HEADER = 'x-identity-2'

/** An identity is valid for this time, plus the tolerance of clocks. */
const LIFETIME_MS = 5_000
/** The largest difference between the clocks of a gateway and an upstream. */
const CLOCK_TOLERANCE_MS = 10_000

/** The claim for a request without a body. */
export const NO_BODY = '-'
/** The claim for a body that is streamed, so that its hash is unknown when the request is signed. */
export const STREAMED_BODY = '*'

/** The request for which an identity is signed. It is not valid for another request. */
export interface SignedRequest {
  method: string
  /** The target as it is sent to the upstream, without any parsing. */
  target: string
  requestId: string
  clientIp: string
}

export type CheckOfVersion2 =
  /** `body` is `NO_BODY`, `STREAMED_BODY` or the hash of the body, which the reader compares. */
  | { outcome: 'valid'; identity: Identity; body: string }
  | { outcome: 'forged' }
  /** Signed for this request, and too old, or the clocks differ by more than the tolerance. */
  | { outcome: 'expired' }
  /** Signed by the cluster in the form of another release. Another instance may be able to read it. */
  | { outcome: 'unreadable' }

/** Characters of an HMAC-SHA256 in base64url. */
const MAC_CHARS = 43

const expected = Buffer.alloc(MAC_CHARS)
const received = Buffer.alloc(MAC_CHARS)

/** Returns the claim for a body that was read in full. */
export function claimOf(body: Uint8Array): string {
  return hash('sha256', body, 'base64url')
}

/**
 * Signs and verifies version 2 of an identity: `mac.expiry.body.caller`. The mac is an HMAC-SHA256
 * over the other parts and over the upstream, method, target, request id and client address. Its key
 * is derived from the secret for one upstream (HKDF, RFC 5869), so no other upstream accepts it.
 */
export function createVersion2({
  secret,
  acceptedSecrets = [],
  upstream,
  now = Date.now,
}: {
  secret: string
  acceptedSecrets?: readonly string[]
  upstream: string
  now?: () => number
}) {
  const signing = deriveKey(secret, upstream)
  const verifying = [signing, ...acceptedSecrets.map((each) => deriveKey(each, upstream))]
  const prefix = `threefold-identity-2:${upstream}`

  /** Each length makes the text unambiguous: no field can continue in the next one. */
  function mac(claims: string, request: SignedRequest, key: KeyObject): string {
    const { method, target, requestId, clientIp } = request
    const text = `${prefix}:${method.length}:${method}:${target.length}:${target}:${requestId.length}:${requestId}:${clientIp.length}:${clientIp}:${claims}`
    return createHmac('sha256', key).update(text).digest('base64url')
  }

  function isSigned(header: string, claims: string, request: SignedRequest): boolean {
    received.write(header, 0, MAC_CHARS, 'latin1')
    for (const key of verifying) {
      expected.write(mac(claims, request, key), 0, MAC_CHARS, 'latin1')
      if (timingSafeEqual(expected, received)) return true
    }
    return false
  }

  return {
    sign(caller: Identity, request: SignedRequest, body: string): string {
      const claims = `${now() + LIFETIME_MS}.${body}.${writeCaller(caller)}`
      return `${mac(claims, request, signing)}.${claims}`
    },
    verify(header: string, request: SignedRequest): CheckOfVersion2 {
      if (header[MAC_CHARS] !== '.') return { outcome: 'forged' }
      const claims = header.slice(MAC_CHARS + 1)
      if (!isSigned(header, claims, request)) return { outcome: 'forged' }
      const bodyAt = claims.indexOf('.') + 1
      const callerAt = claims.indexOf('.', bodyAt) + 1
      const remainingMs = Number(claims.slice(0, bodyAt - 1)) - now()
      const isFresh =
        remainingMs >= -CLOCK_TOLERANCE_MS && remainingMs <= LIFETIME_MS + CLOCK_TOLERANCE_MS
      if (!isFresh) return { outcome: 'expired' }
      const identity = readCaller(claims.slice(callerAt))
      if (!identity) return { outcome: 'unreadable' }
      return { outcome: 'valid', identity, body: claims.slice(bodyAt, callerAt - 1) }
    },
  }
}

function deriveKey(secret: string, upstream: string): KeyObject {
  const derived = hkdfSync('sha256', secret, '', `threefold identity to ${upstream}`, 32)
  return createSecretKey(Buffer.from(derived))
}
