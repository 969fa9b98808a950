import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Identity } from './caller.ts'

/** The header of version 1, which the release before reads and sends. */
export const IDENTITY_HEADER = 'x-identity'

/** The largest difference between the clocks of two instances. An older header is refused. */
const MAX_AGE_MS = 60_000

/**
 * Unknown fields are ignored, so a new field must not remove a right. A form in which a field removes
 * a right has another version, which this release refuses.
 */
const envelope = z.object({
  version: z.literal(1).optional(),
  identity: z.object({
    userId: z.string(),
    email: z.string(),
    role: z.string(),
    sessionId: z.string(),
    actor: z.object({ id: z.string(), name: z.string() }).optional(),
    key: z.object({ id: z.string(), scopes: z.array(z.string()) }).optional(),
  }),
  issuedAtMs: z.number(),
  /** The gateway also sent version 2 with this request. */
  withVersion2: z.boolean().optional(),
})

/** The request for which version 1 is signed. It is not valid for another request. */
export interface RequestOfVersion1 {
  method: string
  /** Path and query as `URL` normalizes them, so that both sides use the same text. */
  path: string
}

export type CheckOfVersion1 =
  | { outcome: 'valid'; identity: Identity; withVersion2: boolean }
  | { outcome: 'missing' }
  | { outcome: 'forged' }
  /** Signed by the cluster in the form of another release. Another instance may be able to read it. */
  | { outcome: 'unreadable' }

/** Returns path and query of a target as version 1 signs them. */
export function pathOfVersion1(target: string): string {
  const url = URL.parse(target, 'http://gateway')
  return url ? url.pathname + url.search : target
}

/**
 * Signs and verifies version 1 of an identity: an HMAC-SHA256 with the secret of the cluster over the
 * identity, the time, the method and the path. It is valid for any body and on any upstream, so it is
 * read only while instances of the release before run.
 */
export function createVersion1({
  secret,
  acceptedSecrets = [],
  now = Date.now,
}: {
  secret: string
  /** Other secrets whose signatures are valid while the secret is replaced. They sign nothing. */
  acceptedSecrets?: readonly string[]
  now?: () => number
}) {
  const signing = keyOf(secret)
  const verifying = [signing, ...acceptedSecrets.map(keyOf)]

  function isSigned(payload: string, request: RequestOfVersion1, given: Buffer): boolean {
    return verifying.some((key) => {
      const expected = mac(payload, request, key)
      return given.length === expected.length && timingSafeEqual(given, expected)
    })
  }

  return {
    /** @param withVersion2 whether version 2 is sent too, so that this header alone is not accepted */
    sign(caller: Identity, request: RequestOfVersion1, withVersion2 = false): string {
      const issued = { identity: caller, issuedAtMs: now() }
      const text = JSON.stringify(withVersion2 ? { ...issued, withVersion2 } : issued)
      const payload = Buffer.from(text).toString('base64url')
      return `${payload}.${mac(payload, request, signing).toString('base64url')}`
    },
    verify(header: string | undefined, request: RequestOfVersion1): CheckOfVersion1 {
      if (header === undefined) return { outcome: 'missing' }
      const [payload = '', signature = '', ...rest] = header.split('.')
      const given = Buffer.from(signature, 'base64url')
      if (rest.length > 0 || !isSigned(payload, request, given)) return { outcome: 'forged' }
      const signed = read(payload)
      if (!signed) return { outcome: 'unreadable' }
      const isFresh = Math.abs(now() - signed.issuedAtMs) <= MAX_AGE_MS
      if (!isFresh) return { outcome: 'forged' }
      const { identity, withVersion2 = false } = signed
      return { outcome: 'valid', identity, withVersion2 }
    },
  }
}

function mac(payload: string, { method, path }: RequestOfVersion1, key: KeyObject): Buffer {
  return createHmac('sha256', key).update(`${payload}\n${method}\n${path}`).digest()
}

function keyOf(secret: string): KeyObject {
  return createSecretKey(secret, 'utf8')
}

/** Returns undefined for a signed text that is no identity, or one of another release. */
function read(payload: string): z.infer<typeof envelope> | undefined {
  try {
    return envelope.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
  } catch {
    return undefined
  }
}
