import { baseSettings, databaseSettings, secret } from '@repo/service'
import type { z } from 'zod'

export const paymentsSettings = {
  ...baseSettings,
  ...databaseSettings,
  INTERNAL_SECRET: secret('signs who the caller is between the gateway and upstreams'),
}

export type PaymentsEnv = z.infer<z.ZodObject<typeof paymentsSettings>>
