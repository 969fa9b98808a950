import { parseArray } from '../message.ts'

/** The answer of a member to the sender of one entry. */
export interface Answer {
  /** The origin of the entry. */
  origin: string
  member: string
  /** False: one of its handlers failed. */
  applied: boolean
}

export function encodeAnswer({ origin, member, applied }: Answer): string {
  return JSON.stringify([origin, member, applied])
}

/** Text of another release becomes an answer to no entry. */
export function decodeAnswer(text: string): Answer {
  const [origin, member, applied] = parseArray(text)
  return { origin: String(origin), member: String(member), applied: applied === true }
}
