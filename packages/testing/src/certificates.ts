import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'

/** PEM texts. */
export interface TestCertificate {
  cert: string
  key: string
}

export interface TestAuthority extends AsyncDisposable {
  /** The certificate of the authority. */
  ca: string
  /** A file with this certificate. */
  caFile: string
  /** Issues a certificate for a name in DNS. */
  issue(name: string): Promise<TestCertificate>
  /** Writes a certificate to files, which a later call with the same name replaces. */
  write(
    fileName: string,
    certificate: TestCertificate,
  ): Promise<{ certFile: string; keyFile: string }>
}

/** Creates an authority that no system trusts. Its files are deleted at the end. */
export async function createAuthority(): Promise<TestAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'threefold-certificates-'))
  const authority = await generate([{ name: 'commonName', value: 'Threefold test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, authority.cert)

  return {
    ca: authority.cert,
    caFile,
    async issue(name) {
      const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
        keyType: 'ec',
        algorithm: 'sha256',
        ca: { key: authority.private, cert: authority.cert },
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'extKeyUsage', serverAuth: true },
          { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
        ],
      })
      return { cert, key }
    },
    async write(fileName, { cert, key }) {
      const certFile = join(folder, `${fileName}.cert.pem`)
      const keyFile = join(folder, `${fileName}.key.pem`)
      await writeFile(certFile, cert)
      await writeFile(keyFile, key)
      return { certFile, keyFile }
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
