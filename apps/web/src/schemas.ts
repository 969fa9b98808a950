// zod/mini, because the view's schema travels to the browser.
import * as z from 'zod/mini'

const date = z.pipe(
  z.union([z.string(), z.number()]),
  z.transform((value) => new Date(value)),
)

export const me = z.object({
  user: z.object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    role: z.optional(z.nullable(z.string())),
  }),
  session: z.object({ id: z.string(), createdAt: date, expiresAt: date }),
})
export type Me = z.infer<typeof me>

export const sessions = z.array(
  z.object({
    id: z.string(),
    token: z.string(),
    createdAt: date,
    updatedAt: date,
    expiresAt: date,
    ipAddress: z.optional(z.nullable(z.string())),
    userAgent: z.optional(z.nullable(z.string())),
  }),
)
export type Session = z.infer<typeof sessions>[number]

export const payment = z.object({
  id: z.string(),
  amount: z.int(),
  currency: z.string(),
  reference: z.string(),
  createdAt: date,
})
export type Payment = z.infer<typeof payment>
export const payments = z.object({ payments: z.array(payment) })

const instance = z.object({
  id: z.string(),
  app: z.string(),
  version: z.string(),
  url: z.string(),
  startedAt: z.string(),
  ready: z.boolean(),
  load: z.number(),
  fingerprint: z.string(),
  drift: z.array(z.string()),
})
export type Instance = z.infer<typeof instance>
export const cluster = z.object({ instances: z.array(instance) })

/** Who answered: an instance id for each stage of the way, null where nobody did. */
const way = z.object({
  web: z.string(),
  gateway: z.nullable(z.string()),
  auth: z.nullable(z.string()),
})
export type Way = z.infer<typeof way>

/** One serving of the replicas page: the way of its request, and the cluster as its viewer may see it. */
export const view = z.object({
  id: z.string(),
  way,
  cluster: z.discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('ok'), instances: z.array(instance) }),
    z.object({ outcome: z.enum(['signed-out', 'forbidden', 'unavailable']) }),
  ]),
})
export type View = z.infer<typeof view>

/** A problem document (RFC 9457) or a Better Auth error: the parts that people are told. */
export const problem = z.object({
  title: z.optional(z.string()),
  detail: z.optional(z.string()),
  message: z.optional(z.string()),
  errors: z.optional(z.array(z.object({ field: z.string(), message: z.string() }))),
})
