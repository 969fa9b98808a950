import * as z from 'zod/mini'
import { date } from './date.ts'

const paymentsState = z.enum(['open', 'closed'])

/** `GET /api/settings/public`: the settings that everyone may read. */
export const publicSettings = z.object({ announcement: z.string(), payments: paymentsState })
export type PublicSettings = z.infer<typeof publicSettings>

const lastChange = {
  description: z.string(),
  updatedAt: z.nullable(date),
  updatedBy: z.nullable(z.string()),
}
const setting = z.discriminatedUnion('name', [
  z.object({ name: z.literal('announcement'), value: z.string(), ...lastChange }),
  z.object({ name: z.literal('payments'), value: paymentsState, ...lastChange }),
])
export type Setting = z.infer<typeof setting>

/** `GET /api/settings`: every setting, for administrators. */
export const settings = z.object({ settings: z.array(setting) })

const ids = z.array(z.string())

/** How far a change got before the answer: instances by id; `pending` reaches them later. */
export const delivery = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.enum(['everywhere', 'some']),
    acked: ids,
    lapsed: ids,
    failed: ids,
    ms: z.number(),
  }),
  z.object({ outcome: z.literal('pending') }),
])
export type Delivery = z.infer<typeof delivery>

/** `PUT /api/settings/:name`. */
export const settingChange = z.object({ setting, delivery })
