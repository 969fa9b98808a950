import { execFileSync } from 'node:child_process'
import { constants, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test, until } from '@repo/testing'
import { runToEnd } from '../process.fixture.ts'
import { metricOf, request, startWith } from './stdout.fixture.ts'

const DROPPED = 'threefold_log_dropped_lines_total'
const BUFFERED = 'threefold_log_buffered_bytes'

function temporary(name: string): string {
  return join(mkdtempSync(join(tmpdir(), 'threefold-log-')), name)
}

/** Both ends of a named pipe. */
function namedPipe() {
  const path = temporary('stdout')
  execFileSync('sh', ['-c', 'mkfifo "$0"', path])
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { writing: openSync(path, constants.O_WRONLY), reading }
}

function parse(output: string): Record<string, unknown>[] {
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('an instance without a reader of stdout serves 500 requests, and later writes each line whole', async ({
  redisUrl,
}) => {
  await using instance = await startWith(redisUrl, ['pipe', 'pipe'])
  const { child, url, exited } = instance
  expect(await request(url, 500, 3_000)).toEqual(new Set([404]))
  expect(await metricOf(url, BUFFERED)).toBeGreaterThan(1_000_000)

  const read = text(child.stdout!)
  await until(async () => (await metricOf(url, BUFFERED)) === 0)
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
  const lines = parse(await read)
  expect(lines.filter(({ event }) => event === 'request')).toHaveLength(500)
  expect(lines.filter(({ event }) => event === 'log.dropped')).toEqual([])
})

test('an instance drops and counts log lines beyond its buffer, and reports the gap once', async ({
  redisUrl,
}) => {
  const pipe = namedPipe()
  await using instance = await startWith(redisUrl, [pipe.writing, 'pipe'])
  const { child, url, exited } = instance
  const sent = 400
  expect(await request(url, sent, 15_000)).toEqual(new Set([404]))
  const dropped = await metricOf(url, DROPPED)
  expect(dropped).toBeGreaterThan(50)

  const reader = new Socket({ fd: pipe.reading, readable: true, writable: false })
  let output = ''
  reader.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  await until(async () => (await metricOf(url, BUFFERED)) === 0)
  expect(await request(url, 1, 10)).toEqual(new Set([404]))
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
  await until(() => output.includes('"event":"exit"'))
  reader.destroy()
  const lines = parse(output)
  const requests = lines.filter(({ event }) => event === 'request')
  expect(requests).toHaveLength(sent + 1 - dropped)
  expect(lines.filter(({ event }) => event === 'log.dropped')).toMatchObject([
    { level: 'warn', lines: dropped },
  ])
  expect(requests.at(-1)).toMatchObject({ path: '/hello/xxxxxxxxxx' })
})

test('an instance without a reader of stdout drains and exits 0', async ({ redisUrl }) => {
  await using instance = await startWith(redisUrl, ['pipe', 'pipe'])
  await request(instance.url, 50, 15_000)
  instance.child.kill('SIGTERM')
  expect(await instance.exited).toBe(0)
})

test('an instance with a full disk under stdout serves, counts lost lines and exits 0', async ({
  redisUrl,
}) => {
  const full = openSync('/dev/full', 'w')
  await using instance = await startWith(redisUrl, [full, full])
  const { child, url, exited } = instance
  expect(await request(url, 400, 15_000)).toEqual(new Set([404]))
  expect(await metricOf(url, DROPPED)).toBeGreaterThan(0)
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
})

test('an instance whose reader of stdout has ended serves and exits 0', async ({ redisUrl }) => {
  await using instance = await startWith(redisUrl, ['pipe', 'pipe'])
  const { child, url, exited } = instance
  child.stdout!.destroy()
  child.stderr!.destroy()
  expect(await request(url, 100, 10)).toEqual(new Set([404]))
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
})

test('the log file of an instance that a defect ends has the fatal line and the lines of the drain', async ({
  redisUrl,
}) => {
  const path = temporary('stdout.log')
  await using instance = await startWith(redisUrl, [openSync(path, 'a'), openSync(path, 'a')])
  await request(instance.url, 50, 10)
  instance.child.send({ id: 1, method: 'crash' })
  expect(await instance.exited).toBe(1)
  const [plain, ...lines] = readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .toSorted((a) => (a.startsWith('{') ? 1 : -1))
  expect(plain).toBe('auth-1: an unhandled error: out of nowhere')
  const events = parse(lines.join('\n')).map(
    ({ event, level }) => `${String(level)} ${String(event)}`,
  )
  expect(events.filter((event) => event === 'info request')).toHaveLength(50)
  expect(events).toEqual(expect.arrayContaining(['fatal boot.failed', 'info exit']))
})

test('an instance that a defect ends does not wait for a stopped reader of stdout', async ({
  redisUrl,
}) => {
  await using instance = await startWith(redisUrl, ['pipe', 'pipe'])
  await request(instance.url, 50, 15_000)
  instance.child.send({ id: 1, method: 'crash' })
  expect(await instance.exited).toBe(1)
})

test('an instance with a faulty configuration exits 78, also with a full disk under stderr', async () => {
  expect(await runToEnd({ PORT: 'eighty' }, [], openSync('/dev/full', 'w'))).toMatchObject({
    code: 78,
  })
})
