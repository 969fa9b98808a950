import { createHmac } from 'node:crypto'
import { withAwakeDeadline } from '@repo/concurrency'
import type { Delivery } from './delivery-rows.ts'

/** The receiver of the messages. */
export interface Receiver {
  /** An http or https URL. It can be a secret, so no log has it. */
  readonly url: string
  /** The bytes of the key of the signature; undefined: the messages have no signature. */
  readonly secret: Buffer | undefined
}

/** Why a message was not delivered. Its text names no part of the URL. */
class WebhookError extends Error {
  override name = 'WebhookError'
}

/**
 * Sends a message once. Resolves when the receiver has acknowledged it with a status of 2xx. A redirect
 * is a failure, because a receiver must not choose another host.
 *
 * @param deadlineMs the time until the head of the response, in awake time
 * @throws WebhookError
 */
export async function sendWebhook(
  { url, secret }: Receiver,
  { id, key, body }: Delivery,
  { deadlineMs, closing }: { deadlineMs: number; closing: AbortSignal },
): Promise<void> {
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'threefold-payments',
    'idempotency-key': key,
    ...signatureHeaders(id, body, secret),
  }
  const status = await withAwakeDeadline(deadlineMs, async (late) => {
    const signal = AbortSignal.any([late, closing])
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const
    const response = await fetch(url, init)
    // The body is not read: it can be endless.
    await response.body?.cancel()
    return response.status
  }).catch((error: unknown) => {
    throw new WebhookError(`the receiver of webhooks did not respond: ${codeOf(error)}`)
  })
  if (status >= 200 && status < 300) return
  throw new WebhookError(`the receiver of webhooks responded with status ${status}`)
}

/**
 * The headers of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): the signature is an HMAC of
 * the id, the time in seconds and the body.
 */
function signatureHeaders(
  id: string,
  body: string,
  secret: Buffer | undefined,
): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp }
  if (!secret) return headers
  const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { ...headers, 'webhook-signature': `v1,${mac}` }
}

/** The code of a failed connection, such as ECONNREFUSED, or the name of the error. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return 'an unknown error'
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
}
