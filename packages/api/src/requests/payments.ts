import { z } from 'zod'
import { currencies } from '../currencies.ts'

/** `POST /api/payments`. `amount` is in the currency's minor unit. */
export const paymentOrder = z.strictObject({
  amount: z.int('must be a whole number of minor units').min(1).max(100_000_000),
  currency: z.enum(currencies),
  // PostgreSQL cannot store NUL, and no account statement shows another control character.
  reference: z
    .string()
    .trim()
    .min(1)
    .max(140)
    .regex(/^\P{Cc}*$/u, 'must not contain control characters')
    .meta({ examples: ['Invoice 7'] }),
})
export type PaymentOrder = z.infer<typeof paymentOrder>
