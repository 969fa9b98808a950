import { connectDatabase, migrateDatabase } from '@repo/database'
import { expect, makeReadOnly, test, until } from '@repo/testing'
import { ask, environment, person } from './auth.fixture.ts'

const program = new URL('main.ts', import.meta.url)

test('an instance starts on a database that is read-only, and applies its session limit later', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await migrateDatabase({ url: databaseUrl })
  const readOnly = await makeReadOnly(databaseUrl)
  const env = { ...environment(databaseUrl, redisUrl), MAX_SESSIONS: '3' }
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  await until(async () => {
    const metrics = await (await fetch(`${replica!.url}/metrics`)).text()
    return /background_failures_total\{task="session\.limit",\S+\} [2-9]/.test(metrics)
  })
  expect((await fetch(`${replica!.url}/readyz`)).status).toBe(200)

  await readOnly[Symbol.asyncDispose]()
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  await until(async () => {
    const { rows } = await database.pool.query('select max_sessions from session_policy')
    return rows[0]?.max_sessions === 3
  })
  await until(async () => {
    const signUp = await ask(fetch, replica!.url, '/sign-up/email', { body: person('late') })
    return signUp.status === 200
  })
  expect(await replica!.terminate()).toBe(0)
  await database.close()
})
