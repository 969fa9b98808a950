import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type Log, reasonOf } from '@repo/observability'

/** Files in PEM format. */
export interface CertificateFiles {
  /** The certificate of the instance, and those between it and its authority. */
  certFile: string
  keyFile: string
}

export interface Certificate {
  cert: Buffer
  key: Buffer
}

/** Changed files are used within this time. */
const CHECK_MS = 2_000

/** @throws Error that names both files, if they cannot be read or do not belong together */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  try {
    const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
    createSecureContext(certificate)
    return certificate
  } catch (cause) {
    const message = `TLS_CERT_FILE ${certFile} and TLS_KEY_FILE ${keyFile} cannot be used: ${reasonOf(cause)}`
    throw new Error(message, { cause })
  }
}

/**
 * Reads the files again after each change, and passes them on. The two files are replaced one after
 * the other: while they do not belong together, the old certificate stays in use.
 *
 * @param use uses the certificate for new connections
 * @returns a function that ends the checks
 */
export function followCertificate(
  files: CertificateFiles,
  use: (certificate: Certificate) => void,
  log: Log,
  checkMs = CHECK_MS,
): () => void {
  function read() {
    try {
      use(readCertificate(files))
      log.info({ event: 'certificate.renewed' }, 'new connections use the new certificate')
    } catch (error) {
      log.warn({ event: 'certificate.invalid', err: error }, 'the old certificate stays in use')
    }
  }

  const paths = [files.certFile, files.keyFile]
  // Polling also detects changes of mounted files, and of links.
  for (const path of paths) watchFile(path, { interval: checkMs, persistent: false }, read)
  return () => {
    for (const path of paths) unwatchFile(path, read)
  }
}
