import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'

const PROBE_AFTER_MS = 60_000
const READ_BYTES = 65_536

export interface TlsOptions {
  /** The name in the certificate, for an origin that is an address. */
  servername?: string
  /** PEM certificates of the authorities, instead of the public ones. */
  ca?: string
}

/** The address of an instance, and how to trust it. */
export interface Endpoint {
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions
  /** The last TLS session, with which a further connection needs less work. */
  session: Buffer | undefined
  /** The trusted certificates, which are parsed for the first connection only. */
  secureContext: SecureContext | undefined
}

export function endpointOf(origin: string, tls: TlsOptions): Endpoint {
  const { protocol, hostname, port } = new URL(origin)
  const isTls = protocol === 'https:'
  return {
    isTls,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || (isTls ? 443 : 80),
    tls,
    session: undefined,
    secureContext: undefined,
  }
}

/**
 * The bytes of all plain connections. A read ends with its callback, and nothing uses the bytes later, so
 * they need no buffer of each connection and no allocation.
 */
const sharedBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

export interface SocketReader {
  onConnect(): void
  /** The bytes are valid during the call only. */
  onRead(bytes: Buffer): void
}

/** @param isHandedOver another owner reads the socket later, as a stream */
export function openSocket(
  endpoint: Endpoint,
  reader: SocketReader,
  isHandedOver: boolean,
): Socket {
  const { host, port } = endpoint
  if (endpoint.isTls) return openTls(endpoint, reader)
  const onread = {
    buffer: sharedBuffer,
    callback(bytes: number): boolean {
      reader.onRead(sharedBuffer.subarray(0, bytes))
      return true
    },
  }
  const socket = connect({ host, port, noDelay: true, ...(!isHandedOver && { onread }) })
  socket.setKeepAlive(true, PROBE_AFTER_MS)
  socket.once('connect', () => reader.onConnect())
  if (isHandedOver) socket.on('data', (bytes: Buffer) => reader.onRead(bytes))
  return socket
}

function openTls(endpoint: Endpoint, reader: SocketReader): Socket {
  const { host, port, tls, session } = endpoint
  endpoint.secureContext ??= createSecureContext(tls.ca === undefined ? {} : { ca: tls.ca })
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined)
  const socket = connectTls({
    host,
    port,
    ALPNProtocols: ['http/1.1'],
    secureContext: endpoint.secureContext,
    ...(servername !== undefined && { servername }),
    ...(session && { session }),
  })
  socket.setNoDelay(true).setKeepAlive(true, PROBE_AFTER_MS)
  socket.once('secureConnect', () => reader.onConnect())
  socket.on('session', (next: Buffer) => (endpoint.session = next))
  socket.on('data', (bytes: Buffer) => reader.onRead(bytes))
  return socket
}
