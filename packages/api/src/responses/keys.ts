import * as z from 'zod/mini'
import { date } from './date.ts'

/** An API key as its user sees it. Its text begins with `tf_` and the id. */
export const apiKey = z.object({
  id: z.string(),
  name: z.string(),
  /** A later release can have other scopes. */
  scopes: z.array(z.string()),
  createdAt: date,
  expiresAt: z.nullable(date),
  /** Exact to a minute. */
  lastUsedAt: z.nullable(date),
})
export type ApiKey = z.infer<typeof apiKey>

/** `GET /api/keys`: the keys of the user that are not revoked, the newest first, at most 50. */
export const apiKeys = z.object({ keys: z.array(apiKey) })

/** `POST /api/keys`. No later response contains `text`, which is the key itself. */
export const createdKey = z.object({ text: z.string(), key: apiKey })
