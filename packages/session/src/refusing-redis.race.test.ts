import { expect, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { test } from './join.fixture.ts'
import { type Joined, makeUser, signIn } from './open.fixture.ts'

const BUS = 'threefold:{shared}:bus-platform'

interface State {
  name: string
  /** In the error of `check`, or of its cause, and in the log. */
  answer: RegExp
  enter: (admin: Redis) => Promise<unknown>
  leave: (admin: Redis) => Promise<unknown>
}

/** A user of Redis that has rights for the keys only. */
function withKeys(name: string, ...keys: string[]): State {
  const allow = keys.map((key) => `~${key}`)
  return {
    name,
    answer: /NOPERM/,
    enter: (admin) => admin.call('ACL', 'SETUSER', 'default', 'resetkeys', ...allow),
    leave: (admin) => admin.call('ACL', 'SETUSER', 'default', 'allkeys'),
  }
}

/** States in which Redis answers, and its answers are errors. */
const STATES: State[] = [
  withKeys('has no right for any key of ours', 'other:*'),
  withKeys(
    'has no right for the keys of sessions',
    ...['meta', 'log', 'members'].map((key) => `${BUS}:${key}`),
  ),
  {
    name: 'is out of memory',
    answer: /OOM/,
    enter: (admin) => admin.config('SET', 'maxmemory', '1'),
    leave: (admin) => admin.config('SET', 'maxmemory', '0'),
  },
  {
    name: 'is a read-only replica',
    answer: /READONLY|MASTERDOWN/,
    enter: (admin) => admin.replicaof('127.0.0.1', 1),
    leave: (admin) => admin.replicaof('NO', 'ONE'),
  },
]

/** The messages of an error and of its causes. */
function messagesOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${messagesOf(error.cause)}` : ''
}

async function reasonOf({ sessions }: Joined): Promise<string> {
  return sessions.check().then(() => '', messagesOf)
}

test.for(STATES)(
  'while Redis $name, PostgreSQL serves sessions, health and log show its error, and then all recovers',
  async ({ answer, enter, leave }, { stores, ownValkey, join }) => {
    const admin = new Redis(ownValkey.url)
    const lines: string[] = []
    const note = (fields: object, message: string) => {
      lines.push(`${'reason' in fields ? String(fields.reason) : ''} ${message}`)
    }
    const log = { info: note, warn: note, error: note }
    const a = await join({ ...stores, redisUrl: ownValkey.url }, 'a', { log })
    const b = await join({ ...stores, redisUrl: ownValkey.url }, 'b')
    const both = [a, b]
    const userId = await makeUser(a.database)
    const [live, ended] = [await signIn(a.database, userId), await signIn(a.database, userId)]
    for (const { sessions } of both) {
      for (const { cookie } of [live, ended]) await sessions.validate(cookie)
    }
    expect(await reasonOf(a)).toBe('')

    await enter(admin)
    const revoked = await a.sessions.revoke({ sessionId: ended.id }, { confirm: 'all' })
    expect(revoked.revoked).toBe(1)
    const made = await signIn(a.database, userId)
    for (const { sessions } of both) {
      await until(async () => (await sessions.validate(ended.cookie)).outcome === 'revoked')
      for (let check = 0; check < 20; check += 1) {
        for (const { cookie } of [live, made]) {
          expect((await sessions.validate(cookie)).outcome).toBe('valid')
        }
      }
    }
    await until(async () => answer.test(await reasonOf(a)))
    const inWords = lines.filter((line) => answer.test(line))
    expect(inWords.length).toBeGreaterThan(0)
    // A line for each kind of event, and not one for each check.
    expect(inWords.length).toBeLessThan(10)

    await leave(admin)
    for (const { sessions } of both) {
      await until(async () => {
        expect((await sessions.validate(ended.cookie)).outcome).toBe('revoked')
        const check = await sessions.validate(live.cookie)
        return check.outcome === 'valid' && check.tier === 'memo'
      })
    }
    await until(async () => (await reasonOf(a)) === '')
    admin.disconnect()
  },
)
