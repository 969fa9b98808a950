import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, test } from 'vitest'

function check(...args: string[]) {
  const program = path.join(import.meta.dirname, 'main.ts')
  const { status, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  return { status, stdout }
}

test('a check exits with 1 when it fails, and with 0 otherwise', () => {
  expect(check('docs')).toEqual({ status: 0, stdout: 'docs: 0 faults\n' })
  const failed = check('language', '--package', 'clock')
  expect(failed).toEqual({
    status: 1,
    stdout: expect.stringMatching(/^no package clock; there are /),
  })
})

test('a check that does not exist exits with 1, and the line lists all checks', () => {
  const stdout = 'usage: node infra/checks/src/main.ts docs|language|structure [--package NAME]\n'
  expect(check()).toEqual({ status: 1, stdout })
  expect(check('toString')).toEqual({ status: 1, stdout })
})
