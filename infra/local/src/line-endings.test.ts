import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ROOT } from './state/state.ts'

const dir = mkdtempSync(join(tmpdir(), 'threefold-clone-'))
afterAll(() => rmSync(dir, { recursive: true }))

const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.com']

function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', [...identity, ...args], { cwd, encoding: 'utf8', stdio: 'pipe' })
}

const isRepository =
  spawnSync('git', ['ls-files', '--error-unmatch', 'package.json'], { cwd: ROOT }).status === 0

/** A repository with the files of the working tree as they are now. */
function createOrigin(): { origin: string; files: string[] } {
  const listed = git(ROOT, 'ls-files', '-z')
  const files = [...new Set(listed.split('\0'))].filter(
    (file) => file && existsSync(join(ROOT, file)),
  )
  const origin = join(dir, 'origin')
  for (const file of files) {
    mkdirSync(dirname(join(origin, file)), { recursive: true })
    copyFileSync(join(ROOT, file), join(origin, file))
  }
  // NUL, CR and LF: as text, the pair would lose its CR.
  writeFileSync(join(origin, 'image.png'), Buffer.from('\u0000\r\n'))
  git(origin, 'init', '--quiet')
  git(origin, '-c', 'core.autocrlf=false', 'add', '--all')
  git(origin, 'commit', '--quiet', '--message', 'all')
  return { origin, files }
}

test.skipIf(!isRepository)(
  'a clone with core.autocrlf=true has LF in every text file, keeps binaries, and passes the format check',
  () => {
    const { origin, files } = createOrigin()
    const clone = join(dir, 'clone')
    git(dir, '-c', 'core.autocrlf=true', 'clone', '--quiet', origin, clone)
    expect(files.length).toBeGreaterThan(500)
    const changed = files.filter((file) => readFileSync(join(clone, file)).includes('\r\n'))
    expect(changed).toEqual([])
    expect(readFileSync(join(clone, 'image.png'))).toEqual(Buffer.from('\u0000\r\n'))
    const script = spawnSync('sh', ['-n', join(clone, 'packages/embedded/src/process/guard.sh')])
    expect(String(script.stderr)).toBe('')
    const oxfmt = join(ROOT, 'node_modules/.bin/oxfmt')
    const check = spawnSync(oxfmt, ['--check', '--ignore-path', '.gitignore'], {
      cwd: clone,
      encoding: 'utf8',
    })
    expect(check.stdout + check.stderr).toContain('All matched files use the correct format')
  },
)
