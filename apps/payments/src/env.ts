import {
  acceptedSecrets,
  baseSettings,
  databaseSettings,
  identitySettings,
  receiverUrl,
  secret,
  tlsSettings,
} from '@repo/service'
import { z } from 'zod'
import type { Receiver } from './webhooks/send-webhook.ts'

const SECRET_PREFIX = 'whsec_'
const BE_SECRET =
  'must be whsec_ and the base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)'

export const paymentsSettings = {
  ...baseSettings,
  ...databaseSettings,
  ...tlsSettings,
  INTERNAL_SECRET: secret('signs the identity of the caller between the gateway and upstreams'),
  INTERNAL_SECRETS_ACCEPTED: acceptedSecrets(
    'other secrets whose signatures are valid: the next or the last while it changes',
  ),
  ...identitySettings,
  PAYMENT_WEBHOOK_URL: receiverUrl('https://example.com/payments').optional().meta({
    description:
      'URL that receives a message about each payment, at least once; without it no message is sent',
    shared: true,
    secret: true,
    example: '',
  }),
  PAYMENT_WEBHOOK_SECRET: z
    .string()
    .trim()
    .refine(isWebhookSecret, BE_SECRET)
    .optional()
    .meta({
      description:
        'signs the messages to PAYMENT_WEBHOOK_URL (Standard Webhooks); without it they have no signature',
      shared: true,
      secret: true,
      example: '',
      conflict: ({ PAYMENT_WEBHOOK_URL: url }) =>
        url ? undefined : 'has an effect only with PAYMENT_WEBHOOK_URL',
    }),
}

export type PaymentsEnv = z.infer<z.ZodObject<typeof paymentsSettings>>

/** The receiver of messages about payments, or undefined if none is set. */
export function webhookReceiver(env: PaymentsEnv): Receiver | undefined {
  const { PAYMENT_WEBHOOK_URL: url, PAYMENT_WEBHOOK_SECRET: text } = env
  return url === undefined ? undefined : { url, secret: text === undefined ? text : keyOf(text) }
}

/** The bytes after the prefix (Standard Webhooks 1.0.0). */
function keyOf(text: string): Buffer {
  return Buffer.from(text.slice(SECRET_PREFIX.length), 'base64')
}

function isWebhookSecret(text: string): boolean {
  const key = keyOf(text)
  // Node ignores characters that are not base64, so the text is compared.
  const isWhole = text === SECRET_PREFIX + key.toString('base64')
  return isWhole && key.length >= 24 && key.length <= 64
}
