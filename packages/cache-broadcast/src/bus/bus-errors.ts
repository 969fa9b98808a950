import type { ConnectionLog } from '@repo/redis'

/** The same line is logged once in this time. */
const QUIET_MS = 60_000
/** The limit of different lines, so that lines with keys in them do not fill the memory. */
const MAX_LINES = 100

export interface BusErrorOptions {
  bus: string
  log: ConnectionLog | undefined
  now: () => number
}

/** Counts the errors of a bus, and logs each kind once a minute. */
export function createBusErrors({ bus, log, now }: BusErrorOptions) {
  const loggedAtMs = new Map<string, number>()
  const counts = { errors: 0, refused: 0, unknown: 0 }
  /** The last error reply of the server to each kind of work that has not succeeded since. */
  const refusals = new Map<string, string>()

  function warnOnce(key: string, fields: object, message: string): void {
    const nowMs = now()
    const beforeMs = loggedAtMs.get(key)
    if (beforeMs !== undefined && nowMs - beforeMs < QUIET_MS) return
    if (loggedAtMs.size >= MAX_LINES) loggedAtMs.clear()
    loggedAtMs.set(key, nowMs)
    try {
      log?.warn({ ...fields, bus }, message)
    } catch {
      counts.errors += 1 // a logger that throws must not end the work that it logs
    }
  }

  return {
    counts,
    warnOnce,
    /** The error reply of the server, while it refuses some of the work of this bus. */
    refusal: (): string | undefined => refusals.values().next().value,
    /** @param work the work that failed, such as `publish` */
    note(work: string, error: unknown): void {
      counts.errors += 1
      const answer = answerOf(error)
      if (answer === undefined) {
        const reason = reasonOf(error)
        warnOnce(reason, { event: 'bus.error', work, err: error }, `the bus failed: ${reason}`)
        return
      }
      counts.refused += 1
      refusals.set(work, answer)
      const fields = { event: 'bus.refused', work, reason: answer }
      warnOnce(answer, fields, `Redis refuses the work of the bus: ${answer}`)
    },
    succeeded(work: string): void {
      if (refusals.size > 0) refusals.delete(work)
    },
  }
}

export type BusErrors = ReturnType<typeof createBusErrors>

/** The error reply of the server, if it is the error or a cause of it. */
function answerOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === 'ReplyError') return lineOf(cause)
  }
  return undefined
}

function lineOf(error: Error): string {
  return error.message.split('\n', 1)[0] ?? ''
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? lineOf(error) : typeof error
}
