import * as z from 'zod/mini'
import { delivery } from './settings.ts'

const policy = z.object({
  name: z.string(),
  quota: z.union([z.number(), z.literal('unlimited')]),
  windowMs: z.number(),
  by: z.array(z.string()),
  algorithm: z.string(),
  shadow: z.boolean(),
})
const counts = z.object({
  policy: z.string(),
  allowed: z.number(),
  limited: z.number(),
  unavailable: z.number(),
})
const limitedKey = z.object({ policy: z.string(), id: z.string(), count: z.number() })
const blockedKey = z.object({ policy: z.string(), id: z.string(), endsInMs: z.number() })

/** `GET /api/limits`: the limits in force, and their decisions in the last minutes. */
export const limits = z.object({
  limits: z.object({ policies: z.array(policy) }),
  activity: z.object({
    minutes: z.number(),
    policies: z.array(counts),
    limited: z.array(limitedKey),
    blocked: z.array(blockedKey),
  }),
})

/** `PUT /api/limits`: the limits in force, and how far the change got before the answer. */
export const limitsChange = z.object({
  limits: z.object({ policies: z.array(policy), routes: z.array(z.unknown()) }),
  delivery,
})
export type Limits = z.infer<typeof limits>
