import { baseSettings, databaseSettings, secret } from '@repo/service'
import type { z } from 'zod'

export const authSettings = {
  ...baseSettings,
  ...databaseSettings,
  AUTH_SECRET: secret('signs session cookies; auth and gateway'),
}

export type AuthEnv = z.infer<z.ZodObject<typeof authSettings>>
