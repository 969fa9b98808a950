import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BackgroundLog, repeat } from '@repo/concurrency'
import { CLOSING, encodeSpan, openingOf } from './otlp-json.ts'
import { createSender, type DropReason, type Receiver } from './receiver.ts'
import type { SpanQueue } from './span-queue.ts'

export interface ExporterOptions {
  queue: SpanQueue
  receiver: Receiver
  /** The attributes of this instance. */
  resource: Readonly<Record<string, string>>
  log?: BackgroundLog | undefined
  /** The shortest time from one request to the next one, in ms. */
  everyMs: number
  /** How long a span waits for others, in ms, rounded up to a multiple of `everyMs`. */
  delayMs: number
  /** How long `close` can take, in ms. */
  closeMs?: number
}

export interface Exporter {
  /** Returns the spans that the receiver accepted. */
  exported: () => number
  /** Returns the spans that no receiver got. */
  dropped: (reason: DropReason) => number
  /** Returns the requests to the receiver that failed. */
  failures: () => number
  /** Sends the remaining spans, as far as that is possible within `closeMs`. */
  close: () => Promise<void>
}

interface Batch {
  parts: Buffer[]
  spans: number
}

/** A batch of this size does not wait for more spans: a request costs little for each of them. */
const FULL_BATCH = 512
/** The bytes of one request, at which no further span is added. */
const MAX_BATCH = 1_048_576
/** The number of spans that are encoded in one turn of the event loop: less than 1 ms of work. */
const SPANS_PER_TURN = 64
const TEXT_PER_TURN = 131_072
/** The wall clock of the machine was set. */
const CLOCK_STEP_MS = 50

/**
 * Sends the spans of a queue to a receiver, one request at a time and at most one for each `everyMs`: when
 * 512 spans wait, or after `delayMs`.
 * A failed request is repeated once, at the next turn. Memory is bounded by the queue and one batch,
 * and no request of a client waits for any of this.
 */
export function createExporter(options: ExporterOptions): Exporter {
  const { queue, receiver, resource, log, everyMs, delayMs, closeMs = 1_000 } = options
  const opening = openingOf(resource)
  const sender = createSender(receiver)
  const drops: Record<DropReason, number> = {
    queue_full: 0,
    unreachable: 0,
    timeout: 0,
    refused: 0,
    shutdown: 0,
  }
  let exported = 0
  let failures = 0
  let epochMs = performance.timeOrigin
  const closing = new AbortController()
  /** The batch whose first request failed. */
  let failed: Batch | undefined
  const turnsOfDelay = Math.ceil(delayMs / everyMs)
  /** The turns in which spans waited. */
  let waited = 0

  async function takeBatch(): Promise<Batch> {
    // The monotonic clock does not follow a change of the wall clock.
    const measuredMs = Date.now() - performance.now()
    if (Math.abs(measuredMs - epochMs) > CLOCK_STEP_MS) epochMs = measuredMs
    const parts: Buffer[] = []
    const waiting = queue.size
    let spans = 0
    let bytes = 0
    while (spans < waiting && bytes < MAX_BATCH) {
      let text = ''
      for (
        let i = 0;
        i < SPANS_PER_TURN && text.length < TEXT_PER_TURN && spans < waiting;
        i += 1
      ) {
        const span = queue.take()
        if (!span) break
        text += `${spans === 0 ? opening : ','}${encodeSpan(span, epochMs)}`
        spans += 1
      }
      const part = Buffer.from(text)
      bytes += part.length
      parts.push(part)
      await nextTurn()
    }
    parts.push(Buffer.from(CLOSING))
    return { parts, spans }
  }

  /** @throws Error if the request failed */
  async function send(): Promise<void> {
    const isRepeated = failed !== undefined
    const batch = failed ?? (queue.size > 0 ? await takeBatch() : undefined)
    failed = undefined
    if (!batch) return
    const sent = await sender.send(batch.parts)
    if (sent.outcome === 'accepted') {
      const rejected = Math.min(sent.rejectedSpans, batch.spans)
      drops.refused += rejected
      exported += batch.spans - rejected
      return
    }
    failures += 1
    if (sent.mayRetry && !isRepeated) failed = batch
    else drops[sent.reason] += batch.spans
    throw sent.cause
  }

  /** @throws Error if the request failed */
  async function sendWhenDue(): Promise<void> {
    if (queue.size > 0) waited += 1
    const isDue = queue.size >= FULL_BATCH || waited >= turnsOfDelay
    if (!failed && !isDue) return
    if (!failed) waited = 0
    await send()
  }

  const turns = repeat({ task: 'trace.export', work: sendWhenDue, everyMs, log })

  return {
    exported: () => exported,
    dropped: (reason) => drops[reason] + (reason === 'queue_full' ? queue.overflowed : 0),
    failures: () => failures,
    async close() {
      function cut(): void {
        closing.abort()
        sender.close()
      }
      const late = setTimeout(cut, closeMs)
      await turns.close()
      while (!closing.signal.aborted && (failed || queue.size > 0)) {
        // A failure is counted.
        await send().catch(() => undefined)
      }
      clearTimeout(late)
      cut()
      drops.shutdown += queue.size + (failed?.spans ?? 0)
      failed = undefined
      while (queue.take()) continue
    },
  }
}
