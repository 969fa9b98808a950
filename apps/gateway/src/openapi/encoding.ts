import { promisify } from 'node:util'
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib'

/** The encodings of a response (RFC 9110 8.4, RFC 8878), the preferred one first. */
const encodings = ['zstd', 'br', 'gzip'] as const
export type Encoding = (typeof encodings)[number]

/** Below this size the headers of an encoding cost more than it saves, in bytes. */
const COMPRESSED_FROM = 1_024

const zstd = promisify(zstdCompress)
const brotli = promisify(brotliCompress)
const zip = promisify(gzip)

const compressors: Record<Encoding, (body: Buffer) => Promise<Buffer>> = {
  zstd: (body) => zstd(body, { params: { [constants.ZSTD_c_compressionLevel]: 12 } }),
  br: (body) => brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } }),
  gzip: (body) => zip(body, { level: 9 }),
}

/** Compresses a body, on a thread. */
export function compress(body: Buffer, encoding: Encoding): Promise<Buffer> {
  return compressors[encoding](body)
}

/**
 * Chooses the encoding of a body by `Accept-Encoding` (RFC 9110 12.5.3): the one with the highest
 * weight, and of equal weights the first of zstd, br and gzip. Undefined: the body is not encoded.
 */
export function chooseEncoding(accepted: string | undefined, size: number): Encoding | undefined {
  if (accepted === undefined || size < COMPRESSED_FROM) return undefined
  const weights = new Map<string, number>()
  for (const entry of accepted.split(',')) {
    const [name = '', ...parameters] = entry.split(';')
    weights.set(name.trim().toLowerCase(), weightOf(parameters))
  }
  const weightFor = (name: string, byDefault: number) => weights.get(name) ?? byDefault
  const others = weightFor('*', 0)
  let chosen: Encoding | undefined
  let best = 0
  for (const encoding of encodings) {
    const weight = weightFor(encoding, others)
    if (weight > best) {
      chosen = encoding
      best = weight
    }
  }
  return best < weightFor('identity', 0) ? undefined : chosen
}

function weightOf(parameters: readonly string[]): number {
  const weight = parameters
    .map((each) => each.trim().toLowerCase())
    .find((each) => each.startsWith('q='))
  if (weight === undefined) return 1
  const value = Number(weight.slice(2))
  return value >= 0 && value <= 1 ? value : 0
}
