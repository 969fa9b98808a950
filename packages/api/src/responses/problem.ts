import * as z from 'zod/mini'

/** A problem document (RFC 9457) or a Better Auth error: the parts that a page shows. */
export const problem = z.object({
  /** `urn:threefold:problem:<code>`, for programs. */
  type: z.optional(z.string()),
  title: z.optional(z.string()),
  detail: z.optional(z.string()),
  message: z.optional(z.string()),
  errors: z.optional(z.array(z.object({ field: z.string(), message: z.string() }))),
})
