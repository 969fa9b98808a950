import { z } from 'zod'

/** The settings that administrators change at run time, with the default of each. */
export const featureSettings = {
  announcement: z
    .string()
    .trim()
    .max(200, 'must have at most 200 characters')
    .refine((text) => text.isWellFormed() && /^\P{Cc}*$/u.test(text), {
      error: 'must not contain control characters',
    })
    .default('')
    .meta({ description: 'shown at the top of every page; leave it empty to show none' }),
  payments: z
    .enum(['open', 'closed'])
    .default('open')
    .meta({ description: 'closed: new payments are refused, and existing ones stay readable' }),
}
export type SettingName = keyof typeof featureSettings

/** `PUT /api/settings/:name`: the body for each setting. */
export const settingRequests = {
  announcement: z.strictObject({ value: featureSettings.announcement.unwrap() }),
  payments: z.strictObject({ value: featureSettings.payments.unwrap() }),
}
