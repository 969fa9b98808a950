import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{apps,packages,infra}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.next/**'],
    // One PostgreSQL and one Valkey for the whole run; each test file gets a fresh database and key space.
    globalSetup: ['packages/testing/src/global-setup.ts'],
    pool: 'threads',
    isolate: false,
    // `pnpm race` runs the same tests for many more rounds.
    testTimeout: process.env['RACE_ROUNDS'] ? 1_200_000 : 30_000,
    hookTimeout: 60_000,
  },
})
