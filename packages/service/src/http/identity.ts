import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'

/** The header in which the gateway tells upstreams who the caller is. */
export const IDENTITY_HEADER = 'x-identity'

/** How far apart the clocks of two instances may be; a header older than this is refused. */
const MAX_AGE_MS = 60_000

const identity = z.object({
  userId: z.string(),
  email: z.string(),
  role: z.string(),
  sessionId: z.string(),
  /** The administrator who acts for the user; absent when the user acts. */
  actor: z.object({ id: z.string(), name: z.string() }).optional(),
})

/** Who the caller is, as the gateway found out. */
export type Identity = z.infer<typeof identity>

/**
 * Unknown fields are ignored, so a field must never take a right away: a form in which it does has
 * another version, which this release refuses.
 */
const envelope = z.object({
  version: z.literal(1).optional(),
  identity,
  issuedAtMs: z.number(),
})

/** The request that an identity was signed for; it is worth nothing on another. */
export interface SignedRequest {
  method: string
  /** Path and query as `URL` writes them: both sides see the same, however the target was sent. */
  path: string
}

export type IdentityCheck =
  | { outcome: 'valid'; identity: Identity }
  | { outcome: 'missing' }
  | { outcome: 'forged' }
  /** Signed by the cluster in a form of another release. Another instance may be able to read it. */
  | { outcome: 'unreadable' }

/**
 * Signs and verifies who the caller is between the gateway and upstreams: HMAC-SHA256 over the
 * identity, the time, the method and the path. An upstream that is reached directly refuses an
 * identity that the gateway did not make, and one made for another request.
 */
export function createIdentities({
  secret,
  acceptedSecrets = [],
  now = Date.now,
}: {
  secret: string
  /** Other secrets whose signatures are valid, while the secret changes. Nothing is signed with them. */
  acceptedSecrets?: readonly string[]
  now?: () => number
}) {
  const verifying = [secret, ...acceptedSecrets]

  function mac(payload: string, { method, path }: SignedRequest, key = secret): Buffer {
    return createHmac('sha256', key).update(`${payload}\n${method}\n${path}`).digest()
  }

  function isSigned(payload: string, request: SignedRequest, given: Buffer): boolean {
    return verifying.some((key) => {
      const expected = mac(payload, request, key)
      return given.length === expected.length && timingSafeEqual(given, expected)
    })
  }

  return {
    sign(who: Identity, request: SignedRequest): string {
      const text = JSON.stringify({ identity: who, issuedAtMs: now() })
      const payload = Buffer.from(text).toString('base64url')
      return `${payload}.${mac(payload, request).toString('base64url')}`
    },
    verify(header: string | undefined, request: SignedRequest): IdentityCheck {
      if (header === undefined) return { outcome: 'missing' }
      const [payload = '', signature = '', ...rest] = header.split('.')
      const given = Buffer.from(signature, 'base64url')
      if (rest.length > 0 || !isSigned(payload, request, given)) return { outcome: 'forged' }
      const signed = read(payload)
      if (!signed) return { outcome: 'unreadable' }
      const fresh = Math.abs(now() - signed.issuedAtMs) <= MAX_AGE_MS
      return fresh ? { outcome: 'valid', identity: signed.identity } : { outcome: 'forged' }
    },
  }
}

/** Undefined when the secret signed something that is no identity, or one of another release. */
function read(payload: string): z.infer<typeof envelope> | undefined {
  try {
    return envelope.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
  } catch {
    return undefined
  }
}

export type Identities = ReturnType<typeof createIdentities>
