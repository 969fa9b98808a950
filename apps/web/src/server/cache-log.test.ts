import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const READS = 3_000

test('the cache handler goes on while no program reads its log, and each failure is a line of the instance', async () => {
  const program = fileURLToPath(new URL('cache-log.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [program, String(READS)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const errors = text(child.stderr!)
  // A pipe holds 64 KiB, and the lines have more.
  await once(child, 'message')
  const output = text(child.stdout!)
  child.send('exit')
  expect((await once(child, 'exit'))[0]).toBe(0)
  expect(await errors).toBe('')
  const lines = (await output).trimEnd().split('\n')
  expect(lines.join('\n').length).toBeGreaterThan(200_000)
  expect(lines).toHaveLength(READS)
  for (const line of lines) {
    expect(JSON.parse(line)).toMatchObject({
      ...{ level: 'warn', app: 'web', instance: 'web-1', event: 'shared_cache_missed' },
      ...{ time: expect.stringMatching(/Z$/), error: expect.stringContaining('no bus') },
    })
  }
}, 60_000)
