import * as z from 'zod/mini'

/** A moment: a `Date` or its ISO 8601 text when a service sends it, a `Date` after parsing. */
export const date = z.pipe(
  z.union([z.string(), z.number(), z.date()]),
  z.transform((value) => new Date(value)),
)
