import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from '@repo/testing'

const program = new URL('request-path.fixture.ts', import.meta.url)
const PACKAGE = path.join(import.meta.dirname, '..')

/** The files in the numbered rows of DESIGN.md, relative to `packages`. */
async function listedFiles(): Promise<string[]> {
  const text = await readFile(path.join(PACKAGE, 'DESIGN.md'), 'utf8')
  const rows = text.matchAll(/^\| \d+ \| `([^`]+)` \|/gm)
  return [...rows].map(([, file = '']) => path.join('ratelimit', file)).toSorted()
}

test('a check of four dimensions calls the 12 files that DESIGN.md lists, and no other', async ({
  redisUrl,
  replicas,
}) => {
  const [replica] = await replicas(1, { program })
  const called = await replica!.call<string[]>('filesOfOneTake', redisUrl)
  expect(called).toEqual(await listedFiles())
  expect(called.length).toBeLessThanOrEqual(12)
})
