import type * as z from 'zod/mini'

/** The body that a service sends where clients parse it with this schema. */
export type ResponseBody<Schema extends z.ZodMiniType> = z.input<Schema>
