import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'

/** The header in which the gateway sends the identity of the caller to upstreams. */
export const IDENTITY_HEADER = 'x-identity'

/** The largest difference between the clocks of two instances. An older header is refused. */
const MAX_AGE_MS = 60_000

const identity = z.object({
  userId: z.string(),
  email: z.string(),
  role: z.string(),
  sessionId: z.string(),
  /** The administrator who acts for the user; absent when the user acts. */
  actor: z.object({ id: z.string(), name: z.string() }).optional(),
})

/** The caller, as the gateway authenticated it. */
export type Identity = z.infer<typeof identity>

/**
 * Unknown fields are ignored, so a new field must not remove a right. A form in which a field removes
 * a right has another version, which this release refuses.
 */
const envelope = z.object({
  version: z.literal(1).optional(),
  identity,
  issuedAtMs: z.number(),
})

/** The request for which an identity is signed. It is not valid for another request. */
export interface SignedRequest {
  method: string
  /** Path and query as `URL` normalizes them, so that both sides use the same text. */
  path: string
}

export type IdentityCheck =
  | { outcome: 'valid'; identity: Identity }
  | { outcome: 'missing' }
  | { outcome: 'forged' }
  /** Signed by the cluster in the form of another release. Another instance may be able to read it. */
  | { outcome: 'unreadable' }

/**
 * Signs and verifies the identity of the caller between the gateway and upstreams. The signature is
 * an HMAC-SHA256 of the identity, the time, the method and the path. So an upstream that is reached
 * directly refuses an identity that the gateway did not sign, or signed for another request.
 */
export function createIdentities({
  secret,
  acceptedSecrets = [],
  now = Date.now,
}: {
  secret: string
  /** Other secrets whose signatures are valid while the secret is replaced. They sign nothing. */
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
    sign(caller: Identity, request: SignedRequest): string {
      const text = JSON.stringify({ identity: caller, issuedAtMs: now() })
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

/** Returns undefined for a signed text that is no identity, or one of another release. */
function read(payload: string): z.infer<typeof envelope> | undefined {
  try {
    return envelope.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
  } catch {
    return undefined
  }
}

export type Identities = ReturnType<typeof createIdentities>
