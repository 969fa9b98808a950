import {
  acceptedSecrets,
  baseSettings,
  databaseSettings,
  identitySettings,
  secret,
  tlsSettings,
} from '@repo/service'
import type { z } from 'zod'

export const paymentsSettings = {
  ...baseSettings,
  ...databaseSettings,
  ...tlsSettings,
  INTERNAL_SECRET: secret('signs the identity of the caller between the gateway and upstreams'),
  INTERNAL_SECRETS_ACCEPTED: acceptedSecrets(
    'other secrets whose signatures are valid: the next or the last while it changes',
  ),
  ...identitySettings,
}

export type PaymentsEnv = z.infer<z.ZodObject<typeof paymentsSettings>>
