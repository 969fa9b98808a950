import * as z from 'zod/mini'
import { date } from './date.ts'

/** `POST /api/payments` and `GET /api/payments/:id`. `amount` is in the currency's minor unit. */
export const payment = z.object({
  id: z.string(),
  amount: z.int(),
  currency: z.string(),
  reference: z.string(),
  createdAt: date,
})
export type Payment = z.infer<typeof payment>

/** `GET /api/payments`: the payer's newest payments first, at most 100. */
export const payments = z.object({ payments: z.array(payment) })
