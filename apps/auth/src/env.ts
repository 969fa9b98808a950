import {
  baseSettings,
  databaseSettings,
  sessionSettings,
  sourceSettings,
  tlsSettings,
} from '@repo/service'
import { z } from 'zod'

export const authSettings = {
  ...baseSettings,
  ...databaseSettings,
  ...tlsSettings,
  ...sessionSettings,
  ...sourceSettings,
  MAX_SESSIONS: z.coerce.number().int().min(1).optional().meta({
    description: 'maximum number of sessions of a user; no limit by default',
    shared: true,
  }),
  MAX_SESSIONS_EXCEEDED: z.enum(['evict-oldest', 'reject']).default('evict-oldest').meta({
    description: 'effect of a sign-in above MAX_SESSIONS',
    shared: true,
  }),
}

export type AuthEnv = z.infer<z.ZodObject<typeof authSettings>>
