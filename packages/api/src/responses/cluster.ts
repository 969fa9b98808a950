import * as z from 'zod/mini'

export const instance = z.object({
  id: z.string(),
  app: z.string(),
  version: z.string(),
  url: z.string(),
  startedAt: z.string(),
  ready: z.boolean(),
  /** The number of requests in flight. */
  load: z.number(),
  /** A digest of the settings that must be the same on all instances. */
  fingerprint: z.string(),
  /** The settings in which this instance differs from the majority. */
  drift: z.array(z.string()),
})
export type Instance = z.infer<typeof instance>

/** `GET /api/cluster`: the live instances of all apps. */
export const cluster = z.object({ instances: z.array(instance) })
