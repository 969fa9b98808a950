import { parseArray } from './message.ts'

/** What a member says to the one that waits for it. */
export interface Answer {
  /** Of the message that it answers to. */
  origin: string
  member: string
  /** False: one of its handlers failed. */
  applied: boolean
}

export function encodeAnswer({ origin, member, applied }: Answer): string {
  return JSON.stringify([origin, member, applied])
}

/** What this version does not know is an answer to nothing. */
export function decodeAnswer(text: string): Answer {
  const [origin, member, applied] = parseArray(text)
  return { origin: String(origin), member: String(member), applied: applied === true }
}
