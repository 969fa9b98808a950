import type { KeyedCall } from './keyed-call.ts'

export interface KeyedVerdict {
  readonly keys: number
  /** Keys whose clients received different responses. */
  readonly differing: readonly string[]
  /** Keys of which a client received no response. */
  readonly unanswered: readonly string[]
  /** The final responses with another status than the expected one. */
  readonly refused: readonly string[]
  /** The number of attempts after the first one of a key. */
  readonly repeated: number
  readonly replays: number
  readonly conflicts: number
  /** The number of attempts that failed and that the client did not cut. */
  readonly failed: number
  /** The longest time that a client waited for its response, in ms. */
  readonly longestMs: number
}

/** Compares the responses of each key with each other. */
export function judgeKeyed(calls: readonly KeyedCall[], expectedStatus = 201): KeyedVerdict {
  const total = (count: (call: KeyedCall) => number) =>
    calls.reduce((sum, call) => sum + count(call), 0)
  const keysWhere = (isTrue: (call: KeyedCall) => boolean) =>
    calls.filter(isTrue).map(({ key }) => key)
  return {
    keys: calls.length,
    differing: keysWhere(
      ({ responses }) => new Set(responses.map(({ status, body }) => `${status} ${body}`)).size > 1,
    ),
    unanswered: keysWhere(({ unanswered }) => unanswered > 0),
    refused: calls.flatMap(({ key, responses }) =>
      responses
        .filter(({ status }) => status !== expectedStatus)
        .map(({ status, body }) => `${key}: ${status} ${body.slice(0, 120)}`),
    ),
    repeated: total(({ attempts }) => attempts - 1),
    replays: total(({ responses }) => responses.filter(({ isReplay }) => isReplay).length),
    conflicts: total(({ conflicts }) => conflicts),
    failed: total(({ failures }) => failures.length),
    longestMs: Math.round(Math.max(0, ...calls.map(({ longestMs }) => longestMs))),
  }
}
