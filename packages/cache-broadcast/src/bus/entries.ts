import type { Acks } from './barrier/acks.ts'
import type { createBarriers } from './barrier/barriers.ts'
import type { BusErrors } from './bus-errors.ts'
import type { createHandlers } from './handlers.ts'
import type { LogEntry } from './log/log-reads.ts'
import { decodeMessage, describeUnknown, type Envelope, type Message } from './message.ts'
import type { Sink } from './types.ts'

export interface EntriesOptions {
  sinks: Pick<ReturnType<typeof createSinks>, 'apply'>
  handlers: Pick<ReturnType<typeof createHandlers>, 'run' | 'resync'>
  barriers: Pick<ReturnType<typeof createBarriers>, 'left'>
  errors: BusErrors
  /** Drops all values: entries up to `n` may have been missed. */
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
   * Skips an entry that this release cannot apply. It may invalidate any value, unless it is an event,
   * which invalidates nothing.
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

/** Applies messages to the caches of this process. */
export function createSinks() {
  const sinks = new Set<Sink>()
  const tagged = new Set<string>()

  function sinksOf(cache: string): Sink[] {
    return [...sinks].filter((sink) => sink.cache === cache)
  }

  function isTagged({ caches = [] }: { caches?: string[] }, { cache }: Sink): boolean {
    return caches.includes(cache) || tagged.has(cache)
  }

  return {
    /** The caches of this process whose values have tags. */
    tagged,
    attach(sink: Sink): () => void {
      sinks.add(sink)
      // It stays until the process ends: values that a closed cache stored still have its tags.
      if (sink.hasTags) tagged.add(sink.cache)
      return () => void sinks.delete(sink)
    },
    apply(message: Message, n: number): void {
      switch (message.kind) {
        case 'keys':
          for (const sink of sinksOf(message.cache)) sink.drop(message.keys, n)
          break
        case 'soft':
          for (const sink of sinksOf(message.cache)) sink.soften(message.keys, n)
          break
        case 'clear':
          for (const sink of sinksOf(message.cache)) sink.clear(n)
          break
        case 'tags':
          for (const sink of sinks) sink.dropTags(message.tags, n, isTagged(message, sink))
          break
        case 'soft-tags':
          for (const sink of sinks) {
            sink.softenTags(message.tags, n, isTagged(message, sink), message.expireMs)
          }
          break
        case 'event':
        case 'left':
        case 'floor':
          break
      }
    },
    /** Drops everything that is older than n. */
    clear(n: number): void {
      for (const sink of sinks) sink.clear(n)
    },
  }
}
