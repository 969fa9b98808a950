import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const READS = 3_000

test('failures of the cache handler are one line of the instance per second, with their number', async () => {
  const program = fileURLToPath(new URL('cache-log.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [program, String(READS)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const errors = text(child.stderr!)
  const lines: Record<string, unknown>[] = []
  let failures = 0
  for await (const line of createInterface(child.stdout!)) {
    const fields: Record<string, unknown> = JSON.parse(line)
    lines.push(fields)
    failures += Number(fields['count'])
    if (failures === READS) child.send('exit')
  }
  expect(await errors).toBe('')
  expect(failures).toBe(READS)
  expect(lines[0]).toMatchObject({ count: 1 })
  const times = lines.map(({ time }) => Date.parse(String(time)))
  for (const [index, time] of times.entries()) {
    // Timers can be early by a part of a millisecond.
    if (index > 0) expect(time - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(990)
  }
  for (const line of lines) {
    expect(line).toMatchObject({
      ...{ level: 'warn', app: 'web', instance: 'web-1', event: 'shared_cache_missed' },
      ...{ time: expect.stringMatching(/Z$/), error: expect.stringContaining('no bus') },
    })
  }
}, 60_000)
