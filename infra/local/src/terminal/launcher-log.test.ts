import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { openLauncherLog } from './launcher-log.ts'
import { createProgress } from './progress.ts'

test('each step, event and fault of a start is a JSON line in the log of the launcher', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'threefold-launcher-'))
  const errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    const log = openLauncherLog(folder)
    const out = { write: () => true }
    const progress = createProgress({
      ...{ json: false, out },
      record: (level, fields, message) => log[level](fields, message),
    })
    await progress.step('edge', async () => ({ note: 'http://localhost', value: undefined }))
    progress.event('auth-2 ended (SIGKILL): started again as process 7', { instance: 'auth-2' })
    progress.fault('the port 8080 is in use')
    const read = () =>
      readFileSync(join(folder, 'launcher.log'), 'utf8').split('\n').filter(Boolean)
    await vi.waitUntil(() => read().length === 3)
    expect(read().map((line): unknown => JSON.parse(line))).toMatchObject([
      {
        level: 'info',
        app: 'launcher',
        event: 'step',
        step: 'edge',
        msg: 'edge: http://localhost',
      },
      {
        level: 'warn',
        event: 'cluster',
        msg: 'auth-2 ended (SIGKILL): started again as process 7',
      },
      { level: 'error', event: 'fault', msg: 'the port 8080 is in use' },
    ])
  } finally {
    errors.mockRestore()
    rmSync(folder, { recursive: true })
  }
})
