import { expect, test } from 'vitest'
import { isSource } from '../files.ts'
import { project } from '../project.fixture.ts'
import { checkFolders } from './folders.ts'
import { checkInvariants } from './invariants.ts'
import { checkReadmes, countProse } from './readme-lengths.ts'

const filesOf = (folder: string, count: number, extension = 'ts') =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`${folder}/file-${i}.${extension}`, '']),
  )

test('a folder may have 15 source files, and 16 are too many', () => {
  const root = project({
    ...filesOf('packages/lock/src', 15),
    ...filesOf('packages/lock/src', 9, 'test.ts'),
    ...filesOf('packages/lock/src/redis', 16),
  })
  expect(checkFolders(root)).toEqual(['packages/lock/src/redis has 16 source files: at most 15'])
})

test('the package session may have 40 source files in all its folders', () => {
  const folders = ['src', 'src/a', 'src/b'].map((folder) =>
    filesOf(`packages/session/${folder}`, 13),
  )
  const files = Object.assign({}, ...folders)
  expect(checkFolders(project(files))).toEqual([])
  const root = project({ ...files, ...filesOf('packages/session/src/c', 2) })
  expect(checkFolders(root)).toEqual(['package session has 41 source files: at most 40'])
})

test.each([
  ['packages/lock/src/lock.ts', true],
  ['apps/web/src/app/page.tsx', true],
  ['packages/lock/src/lock.race.test.ts', false],
  ['packages/lock/src/lock.fixture.ts', false],
  ['packages/lock/src/conformance.ts', false],
  ['packages/lock/src/conformance/leases.ts', false],
  ['packages/lock/src/conformance-leases.ts', false],
  ['packages/lock/bench/lock.ts', false],
  ['packages/lock/README.md', false],
])('the file %s is source: %s', (file, isCounted) => {
  expect(isSource(file)).toBe(isCounted)
})

test('a README of a package has at most 600 words outside of its code', () => {
  const readme = `# Lock\n\n<!-- example\n${'word '.repeat(99)}-->\n\`\`\`ts\n${'word '.repeat(99)}\n\`\`\`\n`
  expect(countProse(`${readme}| a | 2 |\n`)).toBe(3)
  const root = project({
    'packages/lock/package.json': '{}',
    'packages/lock/README.md': readme + 'word '.repeat(599),
    'packages/clock/package.json': '{}',
    'packages/clock/README.md': 'word '.repeat(601),
    'packages/queue/package.json': '{}',
  })
  expect(checkReadmes(root)).toEqual([
    'packages/clock/README.md has 601 words: at most 600',
    'packages/queue/README.md is missing',
  ])
})

test('an invariant is named in a comment of the source and in the title of a test', () => {
  const root = project({
    'packages/lock/README.md':
      '| L1 | One holder. |\n| L2 | It ends. |\n| L3 | It renews. |\nSee L9.\n',
    'packages/lock/src/lock.ts': '// L1: one script decides.\nexport const name = "L2"\n// L10\n',
    'packages/lock/src/lock.test.ts': '// L2, L3\ntest("L1, L3: one holder at a time", () => {})\n',
  })
  expect(checkInvariants(root)).toEqual([
    'L2 of packages/lock/README.md is named in no comment of the source',
    'L2 of packages/lock/README.md is named in no title of a test',
    'L3 of packages/lock/README.md is named in no comment of the source',
  ])
})

test('an invariant of a DESIGN.md may be proved by a test of another package', () => {
  const root = project({
    'packages/lock/DESIGN.md': '| L1 | One holder. |\n',
    'packages/lock/src/lock.ts': '/** L1: one script decides. */\n',
    'e2e/tests/lock.spec.ts': 'test("L1: two users do not hold one lock", () => {})\n',
  })
  expect(checkInvariants(root)).toEqual([])
})
