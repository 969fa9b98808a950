import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { findBrowser } from './browser.ts'

/** The cluster is local, so an HTTP proxy of the environment cannot reach it. */
const DIRECT = {
  NODE_USE_ENV_PROXY: '',
  NO_PROXY: 'localhost,127.0.0.1,::1',
  no_proxy: 'localhost,127.0.0.1,::1',
}

/**
 * `pnpm e2e [options of Playwright]`: finds a browser, then runs the specs on a separate cluster.
 */
try {
  const browser = findBrowser()
  const cli = join(dirname(createRequire(import.meta.url).resolve('@playwright/test')), 'cli.js')
  const { status } = spawnSync(process.execPath, [cli, 'test', ...process.argv.slice(2)], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...DIRECT, CHROMIUM_PATH: browser },
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
