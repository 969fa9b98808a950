import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

interface Fixture {
  /** The time at which drizzle-kit generated it. */
  when: number
  sql: string
}

/** Writes a folder of migrations like drizzle-kit. It is deleted on disposal. */
export async function writeMigrations(migrations: Fixture[]) {
  const folder = await mkdtemp(path.join(tmpdir(), 'threefold-migrations-'))
  const entries = migrations.map(({ when }, idx) => {
    return { idx, version: '7', when, tag: `000${idx}_test`, breakpoints: true }
  })
  await mkdir(path.join(folder, 'meta'))
  const journal = { version: '7', dialect: 'postgresql', entries }
  await writeFile(path.join(folder, 'meta/_journal.json'), JSON.stringify(journal))
  for (const [index, { sql }] of migrations.entries()) {
    await writeFile(path.join(folder, `000${index}_test.sql`), sql)
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}
