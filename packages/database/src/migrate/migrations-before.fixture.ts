import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const MIGRATIONS = new URL('../../migrations/', import.meta.url)

/** Writes the migrations before one of them. They are deleted on disposal. */
export async function migrationsBefore(tag: string) {
  const folder = await mkdtemp(path.join(tmpdir(), 'threefold-migrations-'))
  await cp(MIGRATIONS, folder, { recursive: true })
  const journal = JSON.parse(await readFile(new URL('meta/_journal.json', MIGRATIONS), 'utf8'))
  const end = journal.entries.findIndex((entry: { tag: string }) => entry.tag.endsWith(tag))
  const before = JSON.stringify({ ...journal, entries: journal.entries.slice(0, end) })
  await writeFile(path.join(folder, 'meta/_journal.json'), before)
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}
