import { baseSettings, databaseSettings, sessionSettings, sourceSettings } from '@repo/service'
import { z } from 'zod'

export const authSettings = {
  ...baseSettings,
  ...databaseSettings,
  ...sessionSettings,
  ...sourceSettings,
  MAX_SESSIONS: z.coerce.number().int().min(1).optional().meta({
    description: 'sessions that a person may have at once; no limit by default',
    shared: true,
  }),
  MAX_SESSIONS_EXCEEDED: z.enum(['evict-oldest', 'reject']).default('evict-oldest').meta({
    description: 'what one more sign-in does',
    shared: true,
  }),
}

export type AuthEnv = z.infer<z.ZodObject<typeof authSettings>>
