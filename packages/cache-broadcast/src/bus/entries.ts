import type { Acks } from './barrier/acks.ts'
import type { createBarriers } from './barrier/barriers.ts'
import type { BusErrors } from './error-log.ts'
import type { createHandlers } from './handlers.ts'
import type { LogEntry } from './log/log-reads.ts'
import { decodeMessage, describeUnknown, type Envelope, type Message } from './message.ts'
import type { createSinks } from './sinks.ts'

export interface EntriesOptions {
  sinks: Pick<ReturnType<typeof createSinks>, 'apply'>
  handlers: Pick<ReturnType<typeof createHandlers>, 'run' | 'resync'>
  barriers: Pick<ReturnType<typeof createBarriers>, 'left'>
  errors: BusErrors
  /** Entries up to `n` may have been missed: drops all that is cached. */
  resync: (n: number) => void
  acks: Pick<Acks, 'applied' | 'started' | 'ended' | 'failed'>
}

type EventMessage = Message & { kind: 'event' }

/** Applies the entries of the log to the caches and handlers of this process. */
export function createEntries(options: EntriesOptions) {
  const { sinks, handlers, barriers, errors, acks } = options

  async function runHandlers(n: number, envelope: Envelope, { event, data }: EventMessage) {
    const { origin, ack } = envelope
    if (ack) acks.started(n, origin)
    const done = await handlers.run(event, data)
    if (ack) acks.ended(n, origin, done)
  }

  /**
   * An entry of another release that this one cannot apply. It may invalidate anything, unless it is
   * an event, which invalidates nothing.
   */
  function skip({ n, text, sha }: LogEntry): void {
    const { kind, origin, ack } = describeUnknown(text)
    errors.counts.unknown += 1
    const fields = { event: 'bus.unknown', n, kind, origin, isTooLarge: sha !== undefined }
    errors.warnOnce(`unknown ${kind}`, fields, `an entry of the bus cannot be applied: ${kind}`)
    if (kind === 'event') handlers.resync()
    else options.resync(n)
    if (ack && origin !== undefined) acks.failed(n, origin)
  }

  return function onEntry(entry: LogEntry): void {
    const envelope = entry.sha === undefined ? decodeMessage(entry.text) : undefined
    if (!envelope) return skip(entry)
    const { message } = envelope
    sinks.apply(message, entry.n)
    if (message.kind === 'left') barriers.left(message.member)
    if (message.kind === 'event') void runHandlers(entry.n, envelope, message)
    else if (envelope.ack) acks.applied(entry.n, envelope.origin)
  }
}
