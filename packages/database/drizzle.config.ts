import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: [
    './src/schema/api-keys.ts',
    './src/schema/auth.ts',
    './src/schema/idempotency.ts',
    './src/schema/outbox.ts',
    './src/schema/payments.ts',
    './src/schema/settings.ts',
  ],
  out: './migrations',
})
