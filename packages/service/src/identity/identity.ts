import type { Identity } from './caller.ts'
import { createUserHash } from './user-hash.ts'
import { createVersion1, IDENTITY_HEADER, pathOfVersion1 } from './version-1.ts'
import {
  createVersion2,
  IDENTITY_2_HEADER,
  type SignedRequest,
  STREAMED_BODY,
} from './version-2.ts'

/** The header with the address of the client, which the signature covers. */
export const CLIENT_IP_HEADER = 'x-client-ip'

/** The headers that only the gateway writes. It removes them from incoming requests. */
export const identityHeaders: readonly string[] = [
  IDENTITY_HEADER,
  IDENTITY_2_HEADER,
  CLIENT_IP_HEADER,
]

/** Whether version 1 is sent and accepted, for the release before. */
export type Version1 = 'accept' | 'refuse'

/** A request as an upstream received it. */
export interface ReceivedRequest {
  method: string
  target: string
  /** Returns the value of a header, by its name in lower case. */
  header: (name: string) => string | undefined
}

export type IdentityCheck =
  /** `body` is a claim of version 2, which the reader of the body compares. */
  | { outcome: 'valid'; identity: Identity; body: string }
  | { outcome: 'missing' }
  | { outcome: 'forged' }
  | { outcome: 'expired' }
  /** Signed by the cluster in the form of another release. Another instance may be able to read it. */
  | { outcome: 'unreadable' }

/**
 * Signs and verifies the identity of the caller between the gateway and one upstream. So an upstream
 * that is reached directly refuses an identity that the gateway did not sign, or signed for another
 * request, body, client or upstream.
 *
 * While two releases run, both versions are sent, and version 2 is decisive. Version 1 of a gateway
 * that sends both is not accepted alone: a captured header does not lead back to version 1.
 *
 * @param upstream the name of the service that receives the identity
 * @param version1 `refuse` when no instance of the release before runs
 */
export function createIdentities({
  version1 = 'accept',
  ...options
}: {
  secret: string
  /** Other secrets whose signatures are valid while the secret is replaced. They sign nothing. */
  acceptedSecrets?: readonly string[]
  upstream: string
  version1?: Version1
  now?: () => number
}) {
  const former = version1 === 'accept' ? createVersion1(options) : undefined
  const current = createVersion2(options)

  function verifyFormer({ method, target, header }: ReceivedRequest): IdentityCheck {
    const received = header(IDENTITY_HEADER)
    if (received === undefined) return { outcome: 'missing' }
    if (!former) return { outcome: 'forged' }
    const check = former.verify(received, { method, path: pathOfVersion1(target) })
    if (check.outcome !== 'valid') return check
    if (check.withVersion2) return { outcome: 'forged' }
    return { outcome: 'valid', identity: check.identity, body: STREAMED_BODY }
  }

  return {
    /** Returns the name of a user in log lines, as on the gateway. */
    hashUser: createUserHash(options.secret),
    /**
     * Adds the identity to raw headers.
     * @param body `claimOf` of the body, `NO_BODY`, or `STREAMED_BODY`
     */
    sign(headers: string[], caller: Identity, request: SignedRequest, body: string): void {
      headers.push(IDENTITY_2_HEADER, current.sign(caller, request, body))
      if (!former) return
      const { method, target } = request
      const signed = former.sign(caller, { method, path: pathOfVersion1(target) }, true)
      headers.push(IDENTITY_HEADER, signed)
    },
    verify(request: ReceivedRequest): IdentityCheck {
      const { method, target, header } = request
      const received = header(IDENTITY_2_HEADER)
      if (received === undefined) return verifyFormer(request)
      const requestId = header('x-request-id') ?? ''
      const clientIp = header(CLIENT_IP_HEADER) ?? ''
      return current.verify(received, { method, target, requestId, clientIp })
    },
  }
}

export type Identities = ReturnType<typeof createIdentities>
