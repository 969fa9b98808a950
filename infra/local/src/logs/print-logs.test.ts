import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { printLogs } from './print-logs.ts'

test('the log of the edge is found by the name of its file, and by the name of the instance in its lines', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'threefold-logs-'))
  try {
    for (const [file, instance] of [
      ['edge', 'edge-1'],
      ['web-1', 'web-1'],
    ]) {
      const fields = { level: 'info', time: '2026-01-01T00:00:00.000Z', app: 'a', version: '1' }
      writeFileSync(join(folder, `${file}.log`), `${JSON.stringify({ ...fields, instance })}\n`)
    }
    for (const [chosen, instance] of [
      ['edge', 'edge-1'],
      ['edge-1', 'edge-1'],
      ['web', 'web-1'],
      ['web-1', 'web-1'],
    ] as const) {
      let printed = ''
      const out = new Writable({
        write(chunk, _encoding, done) {
          printed += String(chunk)
          done()
        },
      })
      const filter = { id: undefined, instances: [chosen], level: 'info' } as const
      const { signal } = new AbortController()
      await printLogs({ filter, follow: false, json: true }, { folder, out, signal })
      expect(
        printed
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ).toMatchObject([{ instance }])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
