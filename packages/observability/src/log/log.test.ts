import { expect, test, vi } from '@repo/testing'
import {
  inRequest,
  noteActor,
  noteTry,
  noteUpstream,
  noteUser,
  readRequestContext,
} from '../request/request-context.ts'
import { createLog, logRequest } from './log.ts'

function capture() {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ app: 'auth', instance: 'auth-1', version: '1.2.3', destination })
  return { log, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') }
}

test('a log line is one JSON object with the instance, and with the request that is being served', () => {
  const { log, lines, last } = capture()
  log.info({ event: 'ready' }, 'two\nlines')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]+\n$/)
  expect(last()).toMatchObject({
    level: 'info',
    app: 'auth',
    instance: 'auth-1',
    version: '1.2.3',
    event: 'ready',
    msg: 'two\nlines',
  })
  expect(last()).not.toHaveProperty('request')
  const context = readRequestContext({ headers: { 'x-request-id': 'request-1' } })
  inRequest(context, () => log.warn('served'))
  expect(last()).toMatchObject({ request: 'request-1', trace: context.traceId })
})

test('log lines after noteActor name the administrator and the account, and lines after noteUser the hash', () => {
  const { log, last } = capture()
  inRequest(readRequestContext({ headers: {} }), () => {
    noteActor(undefined, 'ada')
    log.info('before')
    expect(last()).not.toHaveProperty('actor')
    noteActor({ id: 'grace' }, 'ada')
    log.info('after')
    expect(last()).toMatchObject({ actor: 'grace', account: 'ada' })
    expect(last()).not.toHaveProperty('user')
    noteUser('hash-of-ada')
    log.info('later')
    expect(last()).toMatchObject({ actor: 'grace', account: 'ada', user: 'hash-of-ada' })
  })
  log.info('another request')
  expect(last()).not.toHaveProperty('actor')
})

test('a log line has no cookie, password or token, also in nested fields', () => {
  const { log, lines } = capture()
  const secrets = { password: 'hunter2', cookie: 'hunter2', authorization: 'hunter2' }
  log.info(secrets, 'at the top')
  log.info({ headers: secrets, body: { token: 'hunter2', secret: 'hunter2' } }, 'inside')
  expect(lines).toHaveLength(2)
  expect(lines.join('')).not.toContain('hunter2')
})

test('the log line of an error has its type, stack and causes, and no parameter of the failed query', () => {
  const { log, lines, last } = capture()
  const cause = Object.assign(new Error('duplicate key'), {
    code: '23505',
    detail: 'Key (token)=(hunter2) already exists.',
  })
  // The error of drizzle contains the parameters. One of them is the token of a session.
  const message = 'Failed query: insert into "session" values ($1)\nparams: hunter2,\nhunter2'
  log.error({ err: Object.assign(new Error(message, { cause }), { params: ['hunter2'] }) }, 'x')
  expect(lines.join('')).not.toContain('hunter2')
  expect(last()['err']).toMatchObject({
    type: 'Error',
    message: 'Failed query: insert into "session" values ($1)',
    stack: expect.stringContaining('log.test.ts'),
    cause: { message: 'duplicate key', code: '23505' },
  })
})

const served = { method: 'GET', path: '/api/me', status: 200, ms: 3, bytes: 514, isCut: false }

test('the line of a request has the fields of a line of pino, in the same order and form', () => {
  const { log, lines, last } = capture()
  const context = readRequestContext({ headers: { 'x-request-id': 'request-1' } })
  const span = context.spanId
  for (const actor of [undefined, { id: 'grace "G"', userId: 'ädä\u2028' }]) {
    const acting = actor ? { ...context, actor, country: 'DE', user: 'hash' } : context
    for (const upstream of [undefined, 'auth-"3"']) {
      for (const isCut of [false, true]) {
        const facts = upstream ? { route: '/a/{id}', upstream, tries: 2 } : {}
        logRequest(log, { ...served, path: '/a"b\\c', isCut, context: { ...acting, ...facts } })
        const ours = lines.pop() ?? ''
        const { route, ...tried } = { route: undefined, ...facts }
        const start = { event: 'request', span, method: 'GET', path: '/a"b\\c' }
        const end = { status: 200, ms: 3, bytes: 514, ...tried, ...(isCut && { cut: true }) }
        inRequest(acting, () => log.info({ ...start, ...(route && { route }), ...end }, 'GET 200'))
        const time = /"time":"[^"]+"/
        expect(ours.replace(time, '')).toBe(lines.at(-1)?.replace(time, ''))
        expect(ours).toMatch(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/)
        expect(last()).toMatchObject({ request: 'request-1', level: 'info' })
      }
    }
  }
})

test.for([
  [0.04, 0],
  [3.449, 3.4],
  [99.94, 99.9],
  [99.96, 100],
  [100.4, 100],
  [2_345.6, 2_346],
] as const)('a request that took %d ms has the time %d in its line', ([ms, written]) => {
  const { log, last } = capture()
  logRequest(log, { ...served, ms, context: readRequestContext({ headers: {} }) })
  expect(last()['ms']).toBe(written)
})

test('the line of a request names the instance of the last try, and the one that responded', () => {
  const { log, last } = capture()
  const context = readRequestContext({ headers: {} })
  noteTry(context, 'http://10.0.0.1:4101', 1)
  noteTry(context, 'https://[::1]:4102', 2)
  logRequest(log, { ...served, context })
  expect(last()).toMatchObject({ upstream: '[::1]:4102', tries: 2 })
  noteUpstream(context, 'payments-2, auth-1')
  logRequest(log, { ...served, context })
  expect(last()).toMatchObject({ upstream: 'payments-2', tries: 2 })
  noteUpstream(context, 'x'.repeat(65))
  logRequest(log, { ...served, context })
  expect(last()).toMatchObject({ upstream: 'payments-2', tries: 2 })
})

test('the time of a request line is the time of its writing, to the millisecond', () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    const { log, last } = capture()
    const context = readRequestContext({ headers: {} })
    for (const time of [
      '2026-01-01T00:00:00.000Z',
      '2026-01-01T00:00:00.007Z',
      '2026-12-31T23:59:59.999Z',
    ]) {
      vi.setSystemTime(new Date(time))
      logRequest(log, { ...served, context })
      expect(last()['time']).toBe(time)
    }
  } finally {
    vi.useRealTimers()
  }
})

/** Controls, separators of lines and marks of direction, with text that looks like another line. */
const INJECTIONS = [
  ...Array.from({ length: 32 }, (_, code) => code),
  ...Array.from({ length: 33 }, (_, at) => 0x7f + at),
  ...[0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0xd800],
  ...Array.from({ length: 5 }, (_, at) => 0x202a + at),
  ...Array.from({ length: 4 }, (_, at) => 0x2066 + at),
].map((code) => `/a${String.fromCharCode(code)}{"level":"fatal","msg":"forged"}`)

test('no character of a path or a message ends a line early, begins another one or changes its direction', () => {
  const { log, lines, last } = capture()
  const context = readRequestContext({ headers: {} })
  for (const text of INJECTIONS) {
    const hostile = { route: text, upstream: text, tries: 1, user: text, country: text }
    logRequest(log, { ...served, path: text, context: { ...context, ...hostile } })
    expect(last()).toMatchObject({ level: 'info', path: text, ...hostile, msg: 'GET 200' })
    log.warn({ text }, text)
    expect(last()).toMatchObject({ level: 'warn', text, msg: text })
  }
  expect(lines).toHaveLength(INJECTIONS.length * 2)
  for (const line of lines) {
    expect(line).toMatch(/^[^\p{Cc}\p{Bidi_Control}\u2028\u2029]+\n$/u)
  }
})

test('a log above the level info has no line for requests', () => {
  const { log, lines } = capture()
  log.level = 'warn'
  logRequest(log, { ...served, context: readRequestContext({ headers: {} }) })
  expect(lines).toEqual([])
})
