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
  /** The administrator who acts for the user. */
  actor: z.optional(z.object({ id: z.string(), name: z.string() })),
})
export type Me = z.infer<typeof me>

const session = z.object({
  id: z.string(),
  current: z.boolean(),
  agent: z.nullable(z.string()),
  address: z.nullable(z.string()),
  createdAt: date,
  lastSeenAt: date,
})
export type Session = z.infer<typeof session>
export const sessions = z.object({ sessions: z.array(session) })

/** What came of signing devices out: the figures are there when all instances confirmed it. */
export const revocation = z.object({
  revoked: z.number(),
  acked: z.optional(z.number()),
  instances: z.optional(z.number()),
  ms: z.number(),
})
export type Revocation = z.infer<typeof revocation>

const person = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.optional(z.nullable(z.string())),
  banned: z.optional(z.nullable(z.boolean())),
  createdAt: date,
})
export type Person = z.infer<typeof person>
export const people = z.object({ users: z.array(person), total: z.number() })

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

/** What limits are in force, and what they did in the last minutes. */
export const limits = z.object({
  limits: z.object({ policies: z.array(policy) }),
  activity: z.object({
    minutes: z.number(),
    policies: z.array(counts),
    limited: z.array(limitedKey),
    blocked: z.array(blockedKey),
  }),
})
export type Limits = z.infer<typeof limits>

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

const paymentsTaken = z.enum(['open', 'closed'])

/** The settings that everybody may read, and so every page may show. */
export const publicSettings = z.object({ announcement: z.string(), payments: paymentsTaken })
export type PublicSettings = z.infer<typeof publicSettings>

const changed = {
  description: z.string(),
  updatedAt: z.nullable(date),
  updatedBy: z.nullable(z.string()),
}
const setting = z.discriminatedUnion('name', [
  z.object({ name: z.literal('announcement'), value: z.string(), ...changed }),
  z.object({ name: z.literal('payments'), value: paymentsTaken, ...changed }),
])
export type Setting = z.infer<typeof setting>
export const featureSettings = z.object({ settings: z.array(setting) })

const ids = z.array(z.string())

/** How far a change got before it was answered: instances by id. */
const delivery = z.discriminatedUnion('outcome', [
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
export const settingChange = z.object({ setting, delivery })

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
