import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ChangelogError, readChanges, renderChangelog } from './changelog.ts'

function repository() {
  const root = mkdtempSync(path.join(tmpdir(), 'changelog-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const git = (...args: string[]) => {
    const settings = ['user.name=a', 'user.email=a@example.com', 'commit.gpgsign=false']
    const options = settings.flatMap((setting) => ['-c', setting])
    execFileSync('git', [...options, ...args], { cwd: root, stdio: 'pipe' })
  }
  git('init', '--initial-branch=main')
  let count = 0
  const commit = (folder: string, message: string) => {
    mkdirSync(path.join(root, folder), { recursive: true })
    writeFileSync(path.join(root, folder, 'file.txt'), String((count += 1)))
    git('add', '-A')
    git('commit', '-m', message)
  }
  return { root, git, commit }
}

test('a changelog has the commits of one package, with security and breaking changes first', () => {
  const { root, git, commit } = repository()
  commit('packages/lock', 'feat(lock): before the clone')
  git('tag', 'cloned')
  commit('packages/lock', 'docs(lock): an example')
  commit('packages/lock', 'fix(lock): a lease ends in time')
  commit('packages/queue', 'fix(queue): of another package')
  commit('packages/lock', 'fix(lock)!: an option has another name')
  commit('packages/lock', 'fix(lock): a token is compared in constant time\n\nSecurity: yes')
  const text = renderChangelog(readChanges(root, 'packages/lock', 'cloned..HEAD'))
  expect(text.replaceAll(/ \([0-9a-f]{7,}\)/g, '')).toBe(
    [
      ...['## Security', '', '- fix(lock): a token is compared in constant time', ''],
      ...['## Breaking', '', '- fix(lock)!: an option has another name', ''],
      ...['## Fixed', '', '- fix(lock): a lease ends in time', ''],
      ...['## Other', '', '- docs(lock): an example', ''],
    ].join('\n'),
  )
})

test('a range without commits of the package has no changes', () => {
  const { root, commit } = repository()
  commit('packages/lock', 'feat(lock): the first')
  expect(renderChangelog(readChanges(root, 'packages/lock', 'HEAD..HEAD'))).toBe('No changes.\n')
})

test('a range that does not exist is an error with the reason of git and the next step', () => {
  const { root, commit } = repository()
  commit('packages/lock', 'feat(lock): the first')
  const read = () => readChanges(root, 'packages/lock', 'HEAD..upstream/main')
  expect(read).toThrow(ChangelogError)
  expect(read).toThrow(/^git cannot list HEAD\.\.upstream\/main: fatal: .*\n.*`git fetch upstream`/)
})

test('`pnpm changelog` without the name of a package exits with 1 and one line', () => {
  const program = path.join(import.meta.dirname, 'main.ts')
  for (const args of [[], ['no-such-package']]) {
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^usage: pnpm changelog NAME.*\n$/)])
  }
})
