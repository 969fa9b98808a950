import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { followByTime } from './follow.ts'
import { formatLine } from './format.ts'
import type { LogFile } from './log-file.ts'
import { readLine } from './log-line.ts'

const INFO = { id: undefined, level: 'trace', instances: [] } as const

/** A file that has these lines one after another, one in each poll. */
function fileOf(...polls: string[]): LogFile {
  return {
    name: 'auth-1',
    async *lines() {
      const next = polls.shift()
      if (next !== undefined) yield next
    },
    async [Symbol.asyncDispose]() {},
  }
}

test('a plain line follows the line of the log that was read before it, also in a later poll', async () => {
  const stopping = new AbortController()
  const time = new Date(Date.now() + 1_000).toISOString()
  const first = JSON.stringify({ level: 'info', time, msg: 'first' })
  const file = fileOf(first, 'second')
  const texts: string[] = []
  for await (const { text } of followByTime(() => [file], INFO, stopping.signal)) {
    texts.push(text)
    if (texts.length === 2) stopping.abort()
  }
  expect(texts).toEqual([first, 'second'])
})

test.for([
  [{}, 'POST'],
  [{ path: '/api/me' }, 'POST /api/me'],
  [{ path: '/api/me', status: 503, bytes: 7 }, 'POST /api/me 503, 7 B'],
  [{ ms: 3.4, upstream: 'auth-3' }, 'POST 3.4 ms, from auth-3'],
] as const)('a line of a request with %j alone is printed as %s', ([fields, text]) => {
  const line = JSON.stringify({ event: 'request', method: 'POST', level: 'info', ...fields })
  const shown = stripVTControlCharacters(formatLine(readLine(line, 'auth-1', 0)))
  expect(shown.split(' info  ')[1]).toBe(text)
})
