import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { chromium } from '@playwright/test'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * Finds a Chromium: the one in CHROMIUM_PATH, Playwright's, or the system's. Otherwise Playwright
 * installs one, or apt-get does as root on Debian.
 *
 * @throws Error with the next step if no browser can be found or installed
 */
export function findBrowser(): string {
  const configured = process.env['CHROMIUM_PATH']
  if (configured) {
    if (existsSync(configured)) return configured
    throw new Error(`CHROMIUM_PATH is ${configured}, and this file does not exist`)
  }
  const found = installed()
  if (found) return found
  process.stdout.write('No Chromium found: installing one for the browser tests …\n')
  for (const install of [installByPlaywright, installByApt]) {
    install()
    const now = installed()
    if (now) return now
  }
  throw new Error(
    'No browser for the browser tests: install Chromium, or set CHROMIUM_PATH=/path/to/chromium',
  )
}

function installed(): string | undefined {
  const bundled = chromium.executablePath()
  if (existsSync(bundled)) return bundled
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(existsSync)
}

function installByPlaywright() {
  const cli = join(dirname(createRequire(import.meta.url).resolve('@playwright/test')), 'cli.js')
  run(process.execPath, [cli, 'install', 'chromium'])
}

function installByApt() {
  if (process.getuid?.() !== 0) return
  run('apt-get', ['update', '-qq'])
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'])
}

function run(command: string, args: string[]) {
  spawnSync(command, args, { stdio: 'ignore', timeout: 300_000 })
}
