import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { IdempotencyError } from './errors.ts'
import { readFields, refuse } from './options.ts'

/** A key of AES-256-GCM. */
export interface SealKey {
  /** Names the key in each record: 1 to 32 letters, digits, dashes, dots and underscores. */
  readonly id: string
  /** 32 random bytes. */
  readonly secret: Uint8Array
}

/** Encrypts records at rest. */
export interface SealOptions {
  /** The first key seals, and all of them open. A new key is first added at the end everywhere. */
  readonly keys: readonly SealKey[]
  /** Whether records without a seal are read, while sealing is introduced. False by default. */
  readonly isUnsealedAllowed?: boolean
}

/** Seals bytes for one claim: the bytes of another claim do not open. */
export interface Seal {
  readonly isUnsealedAllowed: boolean
  seal(context: string, bytes: Uint8Array): Buffer
  /** @throws IdempotencyError `unreadable` */
  open(context: string, sealed: Uint8Array): Buffer
}

/**
 * Sealed bytes are: 1 byte format (2), 1 byte length of the id of the key, the id, 12 bytes nonce, 16
 * bytes tag, and the ciphertext. The additional authenticated data is the context.
 */
const FORMAT = 2
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SECRET_BYTES = 32
const MAX_KEYS = 16
const CIPHER = 'aes-256-gcm'

/** @throws IdempotencyError `bad-option` */
export function createSeal(options: SealOptions): Seal {
  const { keys, isUnsealedAllowed = false } = readSealOptions(options)
  const ring = new Map(keys.map(({ id, secret }) => [id, createSecretKey(secret)]))
  const first = keys[0]?.id ?? ''
  const sealing = requireKey(ring, first)
  const prefix = Buffer.from([FORMAT, first.length, ...Buffer.from(first)])

  return {
    isUnsealedAllowed,
    seal(context, bytes) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, sealing, nonce).setAAD(Buffer.from(context))
      const text = cipher.update(bytes)
      cipher.final()
      return Buffer.concat([prefix, nonce, cipher.getAuthTag(), text])
    },
    open(context, sealed) {
      const idEnd = 2 + (sealed[1] ?? 0)
      const textAt = idEnd + NONCE_BYTES + TAG_BYTES
      if (sealed[0] !== FORMAT || sealed.length < textAt) throw unreadable('the seal is damaged')
      const key = requireKey(ring, Buffer.from(sealed.subarray(2, idEnd)).toString('latin1'))
      const nonce = sealed.subarray(idEnd, idEnd + NONCE_BYTES)
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(idEnd + NONCE_BYTES, textAt))
      try {
        return Buffer.concat([decipher.update(sealed.subarray(textAt)), decipher.final()])
      } catch (cause) {
        throw unreadable('the seal is damaged, or belongs to another claim', cause)
      }
    },
  }
}

function requireKey(ring: ReadonlyMap<string, KeyObject>, id: string): KeyObject {
  const key = ring.get(id)
  if (key) return key
  throw unreadable('it is sealed with a key that this instance does not have')
}

function readSealOptions(options: SealOptions): SealOptions {
  const read = readFields('bad-option', 'seal', options)
  const { keys, isUnsealedAllowed } = read
  if (isUnsealedAllowed !== undefined && typeof isUnsealedAllowed !== 'boolean') {
    refuse('bad-option', 'seal.isUnsealedAllowed', 'true or false')
  }
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS) {
    refuse('bad-option', 'seal.keys', `1 to ${MAX_KEYS} keys`)
  }
  const ids = new Set<string>()
  const copies = Array.from(keys, (key: SealKey) => {
    const { id, secret } = readFields('bad-option', 'seal.keys: each key', key)
    if (typeof id !== 'string' || !/^[\w.-]{1,32}$/.test(id) || ids.has(id)) {
      refuse('bad-option', 'seal.keys: each id', 'different, of 1 to 32 letters, digits, _ . or -')
    }
    if (!(secret instanceof Uint8Array) || secret.length !== SECRET_BYTES) {
      refuse('bad-option', 'seal.keys: each secret', `${SECRET_BYTES} bytes`)
    }
    ids.add(id)
    return { id, secret: Uint8Array.from(secret) }
  })
  return { ...read, keys: copies }
}

function unreadable(why: string, cause?: unknown): IdempotencyError {
  return new IdempotencyError('unreadable', `the record cannot be read: ${why}`, { cause })
}
