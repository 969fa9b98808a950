import { checkServerIdentity, type ConnectionOptions } from 'node:tls'

/**
 * TLS to servers that announce themselves by other names than the operator configured, such as the
 * address of a node whose certificate has its host name. The certificate must be valid for the
 * announced name or for a configured one, and always be signed by a trusted authority.
 */
export function tlsFor(configured: readonly string[]): ConnectionOptions {
  return {
    checkServerIdentity(host, certificate) {
      const fault = checkServerIdentity(host, certificate)
      if (!fault) return undefined
      const isValid = configured.some((name) => !checkServerIdentity(name, certificate))
      return isValid ? undefined : fault
    },
  }
}
