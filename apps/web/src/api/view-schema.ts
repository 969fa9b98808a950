import { instance } from '@repo/api'
// zod/mini, because the browser parses views.
import * as z from 'zod/mini'

/** The instances that served a request, one for each app; null where no instance answered. */
const requestPath = z.object({
  web: z.string(),
  gateway: z.nullable(z.string()),
  auth: z.nullable(z.string()),
})
export type RequestPath = z.infer<typeof requestPath>

/**
 * One load of the replicas page: the path of its request, and the cluster as the viewer may see it.
 */
export const view = z.object({
  id: z.string(),
  way: requestPath,
  cluster: z.discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('ok'), instances: z.array(instance) }),
    z.object({ outcome: z.enum(['signed-out', 'forbidden', 'unavailable']) }),
  ]),
})
export type View = z.infer<typeof view>
