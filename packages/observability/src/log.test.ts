import { describe, expect, test } from '@repo/testing'
import { createLog } from './log.ts'
import { inRequest, noteActor, readRequestContext } from './request-context.ts'

function capture() {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ app: 'auth', instance: 'auth-1', version: '1.2.3', destination })
  return { log, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') }
}

describe('a log line', () => {
  test('is one JSON object with the instance, and the request while one is served', () => {
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

  test('names the administrator who acts for a user, and the user, from then on', () => {
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

  test('has no cookie, password or token, wherever they were put', () => {
    const { log, lines } = capture()
    const secrets = { password: 'hunter2', cookie: 'hunter2', authorization: 'hunter2' }
    log.info(secrets, 'at the top')
    log.info({ headers: secrets, body: { token: 'hunter2', secret: 'hunter2' } }, 'inside')
    expect(lines).toHaveLength(2)
    expect(lines.join('')).not.toContain('hunter2')
  })

  test('of an error has kind, place and causes, and nothing of the query that failed', () => {
    const { log, lines, last } = capture()
    const cause = Object.assign(new Error('duplicate key'), {
      code: '23505',
      detail: 'Key (token)=(hunter2) already exists.',
    })
    // As drizzle reports it: with the parameters, of which one is a session's token.
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
})
