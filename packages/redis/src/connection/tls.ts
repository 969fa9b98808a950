import { checkServerIdentity, type ConnectionOptions } from 'node:tls'

/**
 * Returns TLS options for servers that announce other names than the configured ones, such as the
 * address of a node whose certificate has its host name. The certificate must be valid for the
 * announced name or a configured one, and always be signed by a trusted authority.
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
