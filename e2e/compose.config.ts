import { defineConfig } from '@playwright/test'
import base from './playwright.config.ts'

const { webServer: _, ...others } = base

/**
 * The same specs on a stack that runs in containers, which infra/deploy describes in
 * `cluster.json`. It leaves out the specs of `pnpm start`, the spec of traces, whose receiver is on this
 * machine, and the spec that locks a table of PostgreSQL, whose port is not reachable from here.
 */
export default defineConfig({
  ...others,
  testIgnore: [
    'start-*.spec.ts',
    'boot-refuses-*.spec.ts',
    'a-form-is-one-trace.spec.ts',
    'a-payment-survives-*.spec.ts',
  ],
})
