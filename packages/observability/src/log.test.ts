import { expect, test } from '@repo/testing'
import { createLog } from './log.ts'
import { inRequest, noteActor, readRequestContext } from './request-context.ts'

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

test('log lines after noteActor name the administrator and the user', () => {
  const { log, last } = capture()
  inRequest(readRequestContext({ headers: {} }), () => {
    noteActor(undefined, 'ada')
    log.info('before')
    expect(last()).not.toHaveProperty('actor')
    noteActor({ id: 'grace' }, 'ada')
    log.info('after')
    expect(last()).toMatchObject({ actor: 'grace', user: 'ada' })
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
