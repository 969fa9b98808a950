import { hash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** The parts of the text `tf_<id>_<secret>`. */
export interface KeyText {
  /** The prefix, which is not secret: 12 characters with 62 random bits. */
  id: string
  /** 256 random bits in base64url. */
  secret: string
}

const START = 'tf_'
const ID_LENGTH = 12
const SECRET_BYTES = 32
const SECRET_AT = START.length + ID_LENGTH + 1
const LENGTH = SECRET_AT + 43
const KEY = /^tf_[0-9a-z]{12}_[\w-]{43}$/
const ID = /^[0-9a-z]{12}$/
const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'
const BEARER = 'bearer '

/** Creates the parts of a key. */
export function createKeyText(): KeyText {
  const characters = Array.from({ length: ID_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)])
  return { id: characters.join(''), secret: randomBytes(SECRET_BYTES).toString('base64url') }
}

export function writeKeyText({ id, secret }: KeyText): string {
  return `${START}${id}_${secret}`
}

/** Returns undefined for a text that no instance has created, before any store is used (K1). */
export function parseKeyText(text: string): KeyText | undefined {
  if (text.length !== LENGTH || !KEY.test(text)) return undefined
  return { id: text.slice(START.length, SECRET_AT - 1), secret: text.slice(SECRET_AT) }
}

/** Whether a text can be the id of a key. */
export function isKeyId(text: string): boolean {
  return ID.test(text)
}

/** A secret of 256 random bits needs no slow hash: it cannot be guessed. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

/** Compares in a time that does not depend on the hashes. */
export function isSecretOf(secret: string, storedHash: string): boolean {
  const sent = Buffer.from(hashSecret(secret))
  const stored = Buffer.from(storedHash)
  return sent.length === stored.length && timingSafeEqual(sent, stored)
}

/**
 * The API key of a request, which can be malformed. It is the value of `X-API-Key`, or a bearer token
 * that begins with `tf_`: other bearer tokens are for upstreams. Two different keys are returned as the
 * malformed key ''. Undefined: the request does not contain a key.
 */
export function sentKey(headers: IncomingHttpHeaders): string | undefined {
  const bearer = bearerKey(headers.authorization)
  const header = headers['x-api-key']
  if (header === undefined) return bearer
  return bearer === undefined || bearer === header ? header.toString() : ''
}

// RFC 9110 11.1: the name of the scheme is not case-sensitive.
function bearerKey(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length <= BEARER.length) return undefined
  if (authorization.slice(0, BEARER.length).toLowerCase() !== BEARER) return undefined
  const token = authorization.slice(BEARER.length).trim()
  return token.startsWith(START) ? token : undefined
}
