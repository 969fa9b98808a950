import { z } from 'zod'

const subject = { policy: z.string(), id: z.string().max(4_096) }

/** The query of `DELETE /api/limits/blocks`: a policy, and the key that it counts by. */
export const limitSubject = z.strictObject(subject)

/** `POST /api/limits/blocks`: blocks a key for 1 second to 30 days. */
export const blockRequest = z.strictObject({
  ...subject,
  forMs: z.int().min(1_000).max(2_592_000_000),
})
export type BlockRequest = z.infer<typeof blockRequest>
