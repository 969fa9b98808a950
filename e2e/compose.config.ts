import { defineConfig } from '@playwright/test'
import base from './playwright.config.ts'

const { webServer: _, ...others } = base

/**
 * The same specs on a stack that runs already, in containers: `describe.ts` of infra/deploy keeps its
 * `cluster.json`. What is about `pnpm start` itself is left out.
 */
export default defineConfig({
  ...others,
  testIgnore: ['start-*.spec.ts', 'boot-refuses-*.spec.ts'],
})
