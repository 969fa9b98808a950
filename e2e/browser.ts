import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { chromium } from '@playwright/test'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * A Chromium to test with: the one that CHROMIUM_PATH names, Playwright's own, the system's, or one
 * that is installed now, by Playwright or, as root on Debian, by apt-get.
 *
 * @throws Error naming the mend when there is none to be had
 */
export function findBrowser(): string {
  const configured = process.env['CHROMIUM_PATH']
  if (configured) {
    if (existsSync(configured)) return configured
    throw new Error(`CHROMIUM_PATH names ${configured}, which is not there`)
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
    'No browser for the browser tests: install Chromium, or name one with CHROMIUM_PATH=/path/to/chromium',
  )
}

function installed(): string | undefined {
  const own = chromium.executablePath()
  if (existsSync(own)) return own
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
