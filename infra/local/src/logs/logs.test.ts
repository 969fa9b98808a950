import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const PROGRAM = join(import.meta.dirname, '../logs.ts')
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const REQUEST = '0198b9d2-7a11-7c3e-8d2f-000000000001'

let state: string
let logs: string

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'threefold-logs-'))
  logs = join(state, 'logs')
  mkdirSync(logs)
})
afterEach(() => rmSync(state, { recursive: true }))

function launch(...args: string[]) {
  const env = { PATH: process.env['PATH'], THREEFOLD_STATE: state }
  return spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function run(...args: string[]) {
  const child = launch(...args)
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, lines: out.split('\n').filter(Boolean), err }
}

function lineOf(second: number, fields: Record<string, unknown> = {}): string {
  const time = new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString()
  return `${JSON.stringify({ level: 'info', time, app: 'a', version: '1', ...fields })}\n`
}

function write(instance: string, ...lines: string[]): void {
  appendFileSync(join(logs, `${instance}.log`), lines.join(''))
}

const from = (instance: string) => ({ instance, request: REQUEST, trace: TRACE })

/** The present time, in seconds from the beginning of the year, for `lineOf`. */
const secondsNow = () => (Date.now() - Date.UTC(2026, 0, 1)) / 1_000

/** One request through three instances, among lines of other requests. */
function writeChain(): void {
  write(
    'gateway-2',
    lineOf(1, { instance: 'gateway-2', msg: 'ready', event: 'ready' }),
    lineOf(4, {
      ...from('gateway-2'),
      event: 'request',
      method: 'GET',
      path: '/api/me',
      status: 503,
      ms: 3.4,
      bytes: 514,
      upstream: 'auth-3',
      tries: 2,
      msg: 'GET 503',
    }),
    lineOf(6, {
      instance: 'gateway-2',
      request: 'another-request',
      trace: '0'.repeat(32),
      msg: 'x',
    }),
  )
  write('auth-3', lineOf(3, { ...from('auth-3'), msg: 'slow', level: 'warn', event: 'slow' }))
  write(
    'payments-1',
    lineOf(2, { ...from('payments-1'), msg: 'first' }),
    lineOf(5, { ...from('payments-1'), msg: 'last' }),
  )
}

test('the lines of one request are printed in the order of their time, from the files of all instances', async () => {
  writeChain()
  for (const id of [
    REQUEST,
    REQUEST.slice(0, 8),
    TRACE,
    TRACE.slice(0, 12),
    `00-${TRACE}-00f067aa0ba902b7-01`,
  ]) {
    const { code, lines, err } = await run(id)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(lines.map((line) => line.slice(0, 24))).toEqual([
      '00:00:02.000 payments-1 ',
      '00:00:03.000 auth-3     ',
      '00:00:04.000 gateway-2  ',
      '00:00:05.000 payments-1 ',
    ])
    expect(lines[2]).toContain('GET /api/me 503 3.4 ms, 514 B, from auth-3 after 2 tries')
  }
})

test('with --json, the lines are those of the files, byte for byte', async () => {
  writeChain()
  write('auth-3', 'not JSON, without the id\n')
  const { lines } = await run(REQUEST, '--json')
  expect(lines.map((line) => JSON.parse(line).instance)).toEqual([
    'payments-1',
    'auth-3',
    'gateway-2',
    'payments-1',
  ])
  expect(`${lines[1]}\n`).toBe(
    lineOf(3, {
      instance: 'auth-3',
      request: REQUEST,
      trace: TRACE,
      msg: 'slow',
      level: 'warn',
      event: 'slow',
    }),
  )
})

test('--instance and --level choose lines, also without an ID', async () => {
  writeChain()
  expect((await run(REQUEST, '--instance', 'gateway-2')).lines).toHaveLength(1)
  expect((await run('--instance', 'gateway', '-i', 'auth-3', '--json')).lines).toHaveLength(4)
  expect((await run('--level', 'warn')).lines).toEqual([expect.stringContaining('warn  slow')])
  expect((await run()).lines).toHaveLength(6)
})

test.for([
  [['0198'], 2, 'has 4 characters: give at least 8'],
  [[REQUEST, TRACE], 2, 'one ID at a time'],
  [['--level', 'loud'], 2, '--level loud: there is trace, debug, info, warn, error, fatal'],
  [['--unknown'], 2, "Unknown option '--unknown'"],
  [['ffffffff'], 1, 'fault: no line of the logs matches'],
  [
    ['--instance', 'gateway-9'],
    1,
    'no instance is named gateway-9: there is auth-3, gateway-2, payments-1',
  ],
] as const)(
  'the arguments %j lead to exit code %d and the message: %s',
  async ([args, code, message]) => {
    writeChain()
    expect(await run(...args)).toEqual({ code, lines: [], err: expect.stringContaining(message) })
  },
)

test('without logs, the command names the folder and exits 1', async () => {
  for (const prepare of [() => undefined, () => rmSync(logs, { recursive: true })]) {
    prepare()
    const { code, err } = await run(REQUEST)
    expect(code).toBe(1)
    expect(err).toBe(
      `fault: no cluster was started here: ${logs} has no logs; start one: pnpm start\n`,
    )
  }
})

test('an ID that several requests begin with is reported with their number', async () => {
  writeChain()
  write(
    'auth-3',
    lineOf(9, { request: REQUEST.replace(/1$/, '2'), trace: 'f'.repeat(32), msg: 'y' }),
  )
  const { code, lines, err } = await run(REQUEST.slice(0, 12))
  expect([code, lines.length, err]).toEqual([0, 5, '2 requests match 0198b9d2-7a1\n'])
})

test('no text of a log line reaches a terminal as a control character or as another line', async () => {
  const hostile = '/a\u001b[2J\r\nforged\u202e\u009b31m'
  write(
    'a-1',
    lineOf(1, { request: REQUEST, msg: hostile, [hostile]: hostile, err: { stack: hostile } }),
  )
  write(
    'a-2',
    lineOf(2, {
      request: REQUEST,
      instance: hostile,
      event: 'request',
      method: 'GET',
      path: hostile,
      upstream: hostile,
      status: hostile,
      ms: hostile,
    }),
  )
  writeFileSync(join(logs, 'a-3.log'), `plain \u001b[2J text\n`)
  const { lines } = await run()
  expect(lines).toHaveLength(5)
  expect(lines.join('')).not.toMatch(/[\p{Cc}\u202e]/u)
  expect(lines.join('')).toContain('\\u001b[2J')
})

test.runIf(process.platform === 'linux')(
  'one line among 200 MB is found in less memory than that, and a line without an end is skipped',
  async () => {
    const filler = lineOf(1, { request: 'another-request', msg: 'x'.repeat(400) }).repeat(20_000)
    for (let part = 0; part < 10; part += 1) write('big-1', filler)
    write('big-1', lineOf(7, { request: REQUEST, msg: 'found' }))
    const unending = 'z'.repeat(50_000_000)
    write('big-2', unending, '\n', lineOf(8, { request: REQUEST, msg: 'after' }), unending)
    // Not `resourceUsage().maxRSS`: a process begins with the peak of the process that started it.
    const report = `import fs from 'node:fs'
    process.on('exit', () => console.error(/VmHWM:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''))`
    const env = { PATH: process.env['PATH'], THREEFOLD_STATE: state }
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(report)}`,
      PROGRAM,
      REQUEST,
    ]
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, kib] = await Promise.all([text(child.stdout), text(child.stderr)])
    expect(out.trimEnd().split('\n')).toEqual([
      expect.stringContaining('info  found'),
      expect.stringContaining('info  after'),
    ])
    // A program that reads a file into memory needs the size of the file above the 60 MB of Node.
    expect(Number(kib)).toBeLessThan(200_000)
    expect(Number(kib)).toBeGreaterThan(20_000)
  },
  60_000,
)

test('--follow prints later lines in the order of their time, also those of new instances and of a cluster that starts again', async () => {
  writeChain()
  const child = launch(REQUEST.slice(0, 8), '--follow', '--json')
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
  const messages = () =>
    out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).msg)
  await vi.waitFor(() => expect(messages()).toHaveLength(4), { timeout: 10_000 })

  // Lines of the future are printed when their time has come, so that the order is not by chance.
  const now = secondsNow()
  write('gateway-2', lineOf(now + 1.502, { request: REQUEST, msg: 'third' }))
  write('auth-3', lineOf(now + 1.501, { request: REQUEST, msg: 'second' }), lineOf(1))
  write('web-1', lineOf(now + 1.5, { request: REQUEST, msg: 'first' }))
  await vi.waitFor(() => expect(messages()).toHaveLength(7), { timeout: 10_000 })
  expect(messages().slice(4)).toEqual(['first', 'second', 'third'])

  const half = lineOf(14, { request: REQUEST, msg: 'in two parts' })
  write('web-1', half.slice(0, 50))
  rmSync(join(logs, 'gateway-2.log'))
  write('gateway-2', lineOf(15, { request: REQUEST, msg: 'of the next cluster' }))
  await vi.waitFor(() => expect(messages()).toContain('of the next cluster'), { timeout: 10_000 })
  expect(messages()).not.toContain('in two parts')
  write('web-1', half.slice(50))
  await vi.waitFor(() => expect(messages()).toContain('in two parts'), { timeout: 10_000 })
  expect(messages()).toHaveLength(9)
  child.kill('SIGINT')
  expect((await once(child, 'exit'))[0]).toBe(0)
}, 60_000)

test('the command ends with exit code 0 when its reader ends', async () => {
  for (let part = 0; part < 20; part += 1)
    write('big-1', lineOf(1, { msg: 'x'.repeat(400) }).repeat(500))
  const child = launch()
  await once(child.stdout, 'readable')
  child.stdout.destroy()
  expect((await once(child, 'exit'))[0]).toBe(0)
})
