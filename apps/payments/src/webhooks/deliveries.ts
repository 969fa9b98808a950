import { setTimeout as wait } from 'node:timers/promises'
import { type BackgroundLog, noteFailure, repeat } from '@repo/concurrency'
import type { Database } from '@repo/database'
import { createDeliveryRows, type Delivery } from './delivery-rows.ts'
import { type Receiver, sendWebhook } from './send-webhook.ts'

/** The messages that an instance sends at the same time. */
const AT_ONCE = 16
/** How long a message in flight can delay the end of an instance. */
const GRACE_MS = 1_000

export interface DeliveryOptions {
  db: Database
  /** Undefined: no message is written or sent. */
  receiver: Receiver | undefined
  log?: BackgroundLog | undefined
  /** The interval at which each instance looks for messages that are due, in ms. */
  everyMs?: number
  /** The longest attempt, in ms. */
  deadlineMs?: number
  /** The message of an instance that ended is sent by another one after this time, in ms. */
  leaseMs?: number
  /** The pause after the first failure, in ms. It doubles with each failure, up to five minutes. */
  pauseMs?: number
}

/** Messages to the receiver. Each one is delivered at least once if its transaction commits. */
export interface Deliveries {
  /** Whether there is a receiver, so that each payment writes a message. */
  readonly isOn: boolean
  /** Sends the messages that are due now. The caller does not wait for them. */
  wake(): void
  readonly figures: DeliveryFigures
  /** Ends the requests in flight. Another instance sends the messages that were not acknowledged. */
  close(): Promise<void>
}

interface DeliveryFigures {
  delivered: number
  failed: number
  /** The waiting messages of all instances, at most 10,000, at the last turn of this instance. */
  pending: number
  oldestSeconds: number
}

/**
 * Delivers messages in the background. Each one is a row until the receiver has acknowledged it, so an
 * instance can end at any point. The receiver may get a message twice, with the same
 * `Idempotency-Key`, the same id and the same body.
 */
export function createDeliveries({
  db,
  receiver,
  log,
  everyMs = 1_000,
  deadlineMs = 5_000,
  leaseMs = 10_000,
  pauseMs = 1_000,
}: DeliveryOptions): Deliveries {
  const rows = createDeliveryRows(db)
  const figures: DeliveryFigures = { delivered: 0, failed: 0, pending: 0, oldestSeconds: 0 }
  const closing = new AbortController()
  const state = { isWoken: false, isClosed: false }

  if (!receiver) {
    return { isOn: false, wake: () => undefined, figures, close: async () => undefined }
  }

  async function deliver(to: Receiver, delivery: Delivery): Promise<void> {
    try {
      await sendWebhook(to, delivery, { deadlineMs, closing: closing.signal })
    } catch (error) {
      figures.failed += 1
      noteFailure('payments.webhook', error, log)
      const nextMs = closing.signal.aborted ? 0 : pauseAfter(delivery.attempts, pauseMs)
      return rows.retry(delivery, nextMs)
    }
    figures.delivered += 1
    await rows.remove(delivery)
  }

  async function takeTurn(to: Receiver): Promise<void> {
    state.isWoken = false
    let isEmpty = figures.pending === 0
    while (!state.isClosed) {
      const claimed = await rows.claim(AT_ONCE, leaseMs)
      const settled = await Promise.allSettled(claimed.map((delivery) => deliver(to, delivery)))
      const failure = settled.find((each) => each.status === 'rejected')
      if (failure) throw failure.reason
      if (claimed.length > 0) isEmpty = false
      if (claimed.length < AT_ONCE) break
    }
    // A turn without a message costs one statement.
    if (!isEmpty) Object.assign(figures, await rows.backlog())
  }

  const turns = repeat({ task: 'payments.deliver', work: () => takeTurn(receiver), everyMs, log })

  return {
    isOn: true,
    wake() {
      // A turn that is waiting for the turn in progress also finds the next messages.
      if (state.isWoken || state.isClosed) return
      state.isWoken = true
      void turns.run()
    },
    figures,
    async close() {
      state.isClosed = true
      const closed = turns.close()
      await Promise.race([closed, wait(GRACE_MS, undefined, { ref: false })])
      closing.abort()
      await closed
    },
  }
}

const LONGEST_PAUSE_MS = 300_000

/** Instances that failed together do not try again together: the pause varies by a quarter. */
function pauseAfter(attempts: number, firstMs: number): number {
  const pauseMs = Math.min(firstMs * 2 ** Math.min(attempts - 1, 30), LONGEST_PAUSE_MS)
  return pauseMs * (0.75 + Math.random() / 2)
}

/** Returns the figures for Prometheus. All instances have the same rows, so use the maximum of gauges. */
export function deliveryFigures({ figures }: Deliveries) {
  const attempts = (outcome: 'delivered' | 'failed') => ({
    name: 'threefold_payments_deliveries_total',
    help: 'Attempts to deliver a message about a payment, by outcome',
    kind: 'counter' as const,
    labels: { outcome },
    read: () => figures[outcome],
  })
  return [
    attempts('delivered'),
    attempts('failed'),
    {
      name: 'threefold_payments_deliveries_pending',
      help: 'Messages about payments that are not delivered yet, at the last turn of this instance',
      kind: 'gauge' as const,
      read: () => figures.pending,
    },
    {
      name: 'threefold_payments_deliveries_oldest_seconds',
      help: 'The age of the oldest message that is not delivered yet; 0 without one',
      kind: 'gauge' as const,
      read: () => figures.oldestSeconds,
    },
  ]
}
