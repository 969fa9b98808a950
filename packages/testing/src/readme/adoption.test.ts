import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { expect, freePort, test } from '../index.ts'
import { copyPackages, foldersToCopy, packageNames, writeReadmeExamples } from './adopt.ts'
import { emptyStores } from './empty-stores.ts'
import { runExample } from './run-examples.ts'

const ROOT = path.join(import.meta.dirname, '../../../..')

/** Its fixtures need vitest, and its README quotes a test that runs. */
const NOT_ALONE = new Set(['testing'])

const readmeOf = (name: string) =>
  readFileSync(path.join(ROOT, 'packages', name, 'README.md'), 'utf8')

function emptyProject() {
  const project = mkdtempSync(path.join(tmpdir(), 'adopted-'))
  onTestFinished(() => rmSync(project, { recursive: true }))
  return project
}

const packages = packageNames(ROOT)
  .filter((name) => !NOT_ALONE.has(name))
  .map((name) => ({ name, folders: foldersToCopy(readmeOf(name)) }))

test.for(packages)(
  'the examples of $name run in an empty project with the folders that its README lists',
  async ({ name, folders }, { redisUrl, databaseUrl }) => {
    expect(folders).toContain(name)
    const project = emptyProject()
    copyPackages(ROOT, folders, project)
    for (const example of await writeReadmeExamples(ROOT, name, project)) {
      await emptyStores(redisUrl, databaseUrl)
      const env = { REDIS_URL: redisUrl, DATABASE_URL: databaseUrl, PORT: String(await freePort()) }
      expect(await runExample(example, project, env)).toBe('')
    }
  },
)

test('a package cannot be imported in a project without one of the folders that it needs', async () => {
  const project = emptyProject()
  copyPackages(ROOT, ['redis'], project)
  const [example] = await writeReadmeExamples(ROOT, 'redis', project)
  expect(await runExample(example!, project, {})).toContain(
    "Cannot find package '@repo/concurrency'",
  )
})

test('the folders of a README are those of its paragraph about the package alone', () => {
  const paragraph = 'To use this package alone, copy `packages/lock` and\n`packages/redis`.\n'
  expect(
    foldersToCopy(`# Lock\n\nSee \`packages/queue\`.\n\n${paragraph}\nSee \`packages/x\`.\n`),
  ).toEqual(['lock', 'redis'])
  expect(foldersToCopy('# Lock\n\nSee `packages/queue`.\n')).toEqual([])
})
