import { parseArray } from '../message.ts'

/** The assumed lease of a member whose registration cannot be read, in ms. */
const UNKNOWN_LEASE_MS = 10_000
const LONGEST_LEASE_MS = 3_600_000

export interface Registration {
  /** The text in Redis. */
  text: string
  member: string
  maxStaleMs: number
  /** Whether it notes its position in the tally. A member of the release before answers for each entry. */
  tallies: boolean
}

/** The registration of a member in Redis. The mark `+` means that it notes its position in the tally. */
export function toRegistration(member: string, maxStaleMs: number): string {
  return `+${maxStaleMs}:${member}`
}

export function fromRegistration(text: string): Registration {
  const colon = text.indexOf(':')
  const ms = Number(text.slice(0, colon))
  const maxStaleMs = ms > 0 && ms <= LONGEST_LEASE_MS ? ms : UNKNOWN_LEASE_MS
  return { text, member: text.slice(colon + 1), maxStaleMs, tallies: text.startsWith('+') }
}

/**
 * A member is one process of an instance. A member of the release before has no mark `2-`, and follows
 * another channel.
 */
export function toMember(instance: string, processId: string): string {
  return `${instance}~2-${processId}`
}

export function instanceOf(member: string): string {
  return member.slice(0, member.lastIndexOf('~'))
}

/** The unique name of a message: its sender, and the mark `t` of a sender that reads the tally. */
export function toOrigin(member: string, count: number): string {
  return `${member}.t${count}`
}

/** The member that sent a message. */
export function senderOf(origin: string): string {
  return origin.slice(0, origin.lastIndexOf('.'))
}

/** Whether the sender of a message reads the tally. */
export function isTallied(origin: string): boolean {
  return origin.startsWith('.t', origin.lastIndexOf('.'))
}

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
