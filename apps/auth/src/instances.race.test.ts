import { connectDatabase, schema } from '@repo/database'
import { contend, expect, test, until } from '@repo/testing'
import { type Answer, ask, count, environment, person, SECRET } from './auth.fixture.ts'

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 3)
const CONTENDERS = 6
const program = new URL('main.ts', import.meta.url)

test(`exactly one of ${CONTENDERS} simultaneous sign-ups for one e-mail creates a user, ${ROUNDS} times; the others get 422`, async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  for (let round = 1; round <= ROUNDS; round += 1) {
    const settled = await contend(CONTENDERS, (index) =>
      ask(fetch, three[index % 3]!.url, '/sign-up/email', { body: person(`one-${round}`) }),
    )
    const answers = settled.flatMap((each): Answer[] =>
      each.status === 'fulfilled' ? [each.value] : [],
    )
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
    expect(statuses).toEqual([200, ...Array(CONTENDERS - 1).fill(422)])
    // The session of the winner is valid on an instance that did not serve the sign-up.
    const winner = answers.findIndex(({ status }) => status === 200)
    const next = three[(winner + 1) % 3]!
    const headers = { cookie: answers[winner]!.cookie }
    const { body } = await ask(fetch, next.url, '/get-session', { headers })
    expect(body).toMatchObject({ user: { email: person(`one-${round}`).email } })
    expect(await count(database, 'user')).toBe(round)
    expect(await count(database, 'account')).toBe(round)
    expect(await count(database, 'session')).toBe(round)
  }
  for (const replica of three) {
    expect(replica.output()).not.toContain(SECRET)
    expect(replica.output()).not.toContain('better-auth.session_token')
    expect(await replica.terminate()).toBe(0)
  }
  await database.close()
})

test('a ban while its user signs in everywhere leaves no session, not even when it is lifted', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const post = (at: number, path: string, body: unknown, cookie = '') =>
    ask(fetch, three[at % 3]!.url, path, { body, headers: { cookie } })
  const root = await post(0, '/sign-up/email', person('root'))
  await post(0, '/sign-up/email', person('target'))
  const { email, password } = person('target')
  const { rows } = await database.pool.query(
    `update "user" set role = case when name = 'root' then 'admin' else role end
     where name in ('root', 'target') returning id, name`,
  )
  const userId: unknown = rows.find(({ name }) => name === 'target')?.id
  let confirmed = 0
  for (let round = 0; round < 3 * ROUNDS && confirmed < ROUNDS; round += 1) {
    const signIns = contend(9, (at) => post(at, '/sign-in/email', { email, password }))
    const ban = await post(round, '/admin/ban-user', { userId }, root.cookie)
    expect(ban.status).toBe(200)
    const settled = await signIns
    await post(round + 1, '/admin/unban-user', { userId }, root.cookie)
    const settlement = ban.headers.get('x-session-settlement') ?? ''
    // On a machine so busy that Redis had no turn within its deadline: it proves nothing.
    if (settlement.startsWith('pending; ')) continue
    expect(settlement).toMatch(/^confirmed; instances=3; acked=3/)
    confirmed += 1
    const cookies = settled.flatMap((each) =>
      each.status === 'fulfilled' && each.value.status === 200 ? [each.value.cookie] : [],
    )
    for (const cookie of cookies) {
      const { body } = await ask(fetch, three[2]!.url, '/get-session', { headers: { cookie } })
      expect(body).toBeNull()
    }
    const left = await database.pool.query('select 1 from session where user_id = $1', [userId])
    expect(left.rowCount).toBe(0)
  }
  expect(confirmed).toBe(ROUNDS)
  await database.close()
})

test('a second account of the same user at the same provider cannot be written', async ({
  databaseUrl,
}) => {
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 5 })
  const { db } = database
  await db.insert(schema.user).values({ id: 'u', name: 'u', email: 'u@threefold.test' })
  const linked = await contend(5, (index) =>
    db
      .insert(schema.account)
      .values({ id: `a-${index}`, accountId: '42', providerId: 'github', userId: 'u' }),
  )
  expect(linked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const each of linked) {
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ cause: { code: '23505' } })
  }
  await database.close()
})

test('users sign up and sign in while Redis is unavailable', async ({
  replicas,
  databaseUrl,
  ownValkey,
}) => {
  const env = environment(databaseUrl, ownValkey.url)
  const [replica] = await replicas(1, { program, env, ready: '/readyz' })
  await ownValkey.pause()
  const hung = await ask(fetch, replica!.url, '/sign-up/email', { body: person('hung') })
  expect(hung.status).toBe(200)
  ownValkey.resume()
  await ownValkey.kill()
  const { email, password } = person('hung')
  const dead = await ask(fetch, replica!.url, '/sign-in/email', { body: { email, password } })
  expect(dead.status).toBe(200)
  await until(async () => {
    const health = await fetch(`${replica!.url}/health`)
    return health.status === 200 && (await health.text()).includes('"redis":"unhealthy"')
  })
})
