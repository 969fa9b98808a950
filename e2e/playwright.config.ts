import { join } from 'node:path'
import { defineConfig, devices } from '@playwright/test'
import { EDGE, STATE } from './cluster.ts'
import { RECEIVER_PORT, TRACES_PORT } from './traces.ts'

const { port } = new URL(EDGE)

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  forbidOnly: true,
  // The specs share one cluster and stop parts of it.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  projects: [
    { name: 'specs', testMatch: /^(?!.*metrics-stay-bounded).*\.spec\.ts$/, teardown: 'series' },
    // After all others, because each of them adds series.
    { name: 'series', testMatch: 'metrics-stay-bounded.spec.ts' },
  ],
  use: {
    ...devices['Desktop Chrome'],
    baseURL: EDGE,
    trace: 'retain-on-failure',
    launchOptions: {
      ...(process.env['CHROMIUM_PATH'] && { executablePath: process.env['CHROMIUM_PATH'] }),
      args: [
        // Chromium's sandbox refuses to run as root, which containers and CI do.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  webServer: [
    {
      command: 'node trace-receiver.ts',
      url: `http://127.0.0.1:${TRACES_PORT}/`,
    },
    {
      command: `node ../infra/local/src/main.ts --json --fresh --port ${port} --ports 5000`,
      env: {
        THREEFOLD_STATE: STATE,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${RECEIVER_PORT}`,
        OTEL_BSP_SCHEDULE_DELAY: '1000',
        // All specs use one address, so these limits count requests without refusing them.
        LIMITS_FILE: join(import.meta.dirname, '../apps/gateway/limits.load-test.json'),
      },
      url: `${EDGE}/.edge/readyz`,
      timeout: 240_000,
      gracefulShutdown: { signal: 'SIGTERM', timeout: 60_000 },
      stdout: 'ignore',
      stderr: 'pipe',
    },
  ],
})
