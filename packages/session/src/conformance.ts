import { randomUUID } from 'node:crypto'
import type { DatabaseConnection } from '@repo/database'
import { afterEach, describe, expect, test } from 'vitest'
import { signSessionValue } from './cookie/session-cookie.ts'
import type { Sessions } from './types.ts'

/** Sessions that are ready, on a separate migrated database. */
export interface Opened {
  sessions: Sessions
  database: DatabaseConnection
  secret: string
  close: () => Promise<void>
}

/** Declares the tests that every driver must pass. Call it in a test file; `open` opens the driver. */
export function describeConformance(driver: string, open: () => Promise<Opened>): void {
  const closing: (() => Promise<void>)[] = []

  async function openWithSession() {
    const { sessions, database, secret, close } = await open()
    closing.push(close)
    const { pool } = database
    const [userId, id, token] = [randomUUID(), randomUUID(), randomUUID()]
    await pool.query(`insert into "user" (id, name, email) values ($1, 'Ada', $1)`, [userId])
    await pool.query(
      `insert into session (id, token, user_id, expires_at)
       values ($1, $2, $3, now() + interval '1 h')`,
      [id, token, userId],
    )
    const cookie = `better-auth.session_token=${signSessionValue(token, secret)}`
    const check = () => sessions.validate(cookie)
    return { sessions, pool, userId, id, token, secret, cookie, check }
  }

  describe(`sessions in ${driver}`, () => {
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
    })

    test(`sessions in ${driver} are read once and then cached`, async () => {
      const { check, userId, id } = await openWithSession()
      const said = { session: { id }, user: { id: userId, role: 'user' } }
      expect(await check()).toMatchObject({ outcome: 'valid', tier: 'database', ...said })
      expect(await check()).toMatchObject({ outcome: 'valid', tier: 'memo', ...said })
    })

    test(`sessions in ${driver} accept a second cookie only beside the session cookie`, async () => {
      const { sessions, check, cookie } = await openWithSession()
      const first = await check()
      const setCookie = first.outcome === 'valid' ? first.setCookie : undefined
      const second = setCookie?.split(';', 1)[0]
      expect(second).toMatch(/^threefold\.sc=/)
      expect(await sessions.validate(`${cookie}; ${second}`)).toMatchObject({ outcome: 'valid' })
      expect(await sessions.validate(second)).toEqual({ outcome: 'none' })
    })

    test(`revoked sessions in ${driver} stay revoked, and unknown ones have the outcome none`, async () => {
      const { sessions, check, userId, secret } = await openWithSession()
      await check()
      const revoked = await sessions.revoke({ userId }, { confirm: 'all' })
      expect(revoked).toMatchObject({ outcome: 'confirmed', revoked: 1, instances: 1, acked: 1 })
      expect(await check()).toEqual({ outcome: 'revoked' })
      const unknown = `better-auth.session_token=${signSessionValue(randomUUID(), secret)}`
      expect(await sessions.validate(unknown)).toEqual({ outcome: 'none' })
    })

    test(`sessions in ${driver} change with their user after a settle, and end with a ban`, async () => {
      const { sessions, check, pool, userId } = await openWithSession()
      await check()
      // The database keeps its last administrator: there is another one.
      await pool.query(`insert into "user" (id, name, email, role)
        values ('root', 'Root', 'root@x', 'admin') on conflict do nothing`)
      await pool.query(`update "user" set role = 'admin' where id = $1`, [userId])
      expect(await sessions.settle()).toMatchObject({ outcome: 'sent' })
      expect(await check()).toMatchObject({ outcome: 'valid', user: { role: 'admin' } })
      await pool.query('update "user" set banned = true where id = $1', [userId])
      await sessions.settle()
      expect(await check()).toEqual({ outcome: 'revoked' })
    })

    test(`sessions in ${driver} expire at their end`, async () => {
      const { sessions, check, pool, id } = await openWithSession()
      await check()
      await pool.query('update session set expires_at = now() where id = $1', [id])
      await sessions.settle()
      expect(await check()).toEqual({ outcome: 'expired' })
    })

    test(`one of several concurrent rotations in ${driver} succeeds`, async () => {
      const { sessions, check, token } = await openWithSession()
      const all = await Promise.all(Array.from({ length: 5 }, () => sessions.rotate(token)))
      expect(all.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
      expect(await check()).toMatchObject({ outcome: 'valid' })
    })

    test(`sessions in ${driver} are listed for their user without a token`, async () => {
      const { sessions, userId, id, token } = await openWithSession()
      const list = await sessions.list(userId)
      expect(list).toMatchObject([{ id, agent: null, address: null }])
      expect(JSON.stringify(list)).not.toContain(token)
    })

    test(`sessions in ${driver} count their checks and revocations`, async () => {
      const { sessions, check } = await openWithSession()
      await check()
      await check()
      sessions.noteLogin()
      const { authentication } = await sessions.observability()
      expect(authentication).toMatchObject({
        logins: { total: 1 },
        validations: { total: 2, cacheHits: 1, databaseQueries: 1 },
      })
    })
  })
}
