import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// The stores are local: clients reach them without a proxy and without the settings of another PostgreSQL.
for (const name of Object.keys(process.env)) {
  if (name === 'NODE_USE_ENV_PROXY' || /^PG[A-Z]+$/.test(name)) delete process.env[name]
}

export default defineConfig({
  test: {
    include: ['{apps,packages,infra}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.next/**'],
    // One PostgreSQL and one Valkey for the whole run; each test file gets a fresh database and key space.
    globalSetup: ['packages/testing/src/global-setup.ts'],
    pool: 'threads',
    isolate: false,
    // Many tests wait for a store or a process. By default, a machine with two cores gets one worker.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // `pnpm race` runs the same tests for many more rounds.
    // The limit ends a test that hangs. It is far above what a busy machine needs.
    testTimeout: process.env['RACE_ROUNDS'] ? 1_200_000 : 120_000,
    hookTimeout: 120_000,
  },
})
