import { defineConfig } from '@playwright/test'
import base from './playwright.config.ts'

const { webServer: _, ...others } = base

/**
 * The same specs on a stack that runs in containers, which infra/deploy describes in
 * `cluster.json`. The specs of `pnpm start` itself are left out.
 */
export default defineConfig({
  ...others,
  // And that of traces, whose receiver is on this machine, and one that locks a table of PostgreSQL.
  testIgnore: [
    'start-*.spec.ts',
    'boot-refuses-*.spec.ts',
    'a-form-is-one-trace.spec.ts',
    'a-payment-survives-*.spec.ts',
  ],
})
