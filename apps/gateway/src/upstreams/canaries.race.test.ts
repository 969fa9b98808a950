import { connectDatabase, migrateDatabase, schema } from '@repo/database'
import { expect, test, until } from '@repo/testing'
import { addSession, ask, environment } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'

const program = new URL('../main.ts', import.meta.url)
const PATH = '/api/payments'
const USERS = 60

interface Person {
  id: string
  cookie: string
}

/** Users with these ids, so that the share of the canary is the same in each run. */
async function signIn(databaseUrl: string): Promise<{ users: Person[]; administrator: Person }> {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  async function create(id: string, role: string): Promise<Person> {
    const email = `${id}@threefold.test`
    await database.db.insert(schema.user).values({ id, name: id, email, role })
    return { id, cookie: (await addSession(database, id)).cookie }
  }
  const users: Person[] = []
  for (let i = 0; i < USERS; i += 1) users.push(await create(`user-${i}`, 'user'))
  const administrator = await create('administrator', 'admin')
  await database.close()
  return { users, administrator }
}

/** Returns the name of the instance that served the request. */
async function servedBy(gateway: string, { cookie }: Person, canary?: string): Promise<string> {
  const headers = { cookie, ...(canary !== undefined && { 'x-canary': canary }) }
  const answer = await ask(gateway, PATH, { headers })
  expect(answer.status).toBe(200)
  return String(answer.headers['x-instance-id']).split(', ').at(-1) ?? ''
}

test('three gateways send the same 30 % of the users to the canary, a larger share includes them, and only an administrator chooses', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using main = await serveUpstream('main-1')
  await using canary = await serveUpstream('canary-1')
  const { users, administrator } = await signIn(databaseUrl)
  const gatewaysWith = async (percent: number, count: number, override = 'administrators') => {
    const env = {
      ...environment({ databaseUrl, redisUrl, upstream: main.origin }),
      CANARIES: `payments ${percent} ${canary.origin}`,
      CANARY_OVERRIDE: override,
    }
    const started = await replicas(count, { program, env, ready: '/readyz' })
    return started.map(({ url }) => url)
  }
  const usersOfCanary = async (gateway: string) => {
    const served = await Promise.all(users.map((user) => servedBy(gateway, user)))
    return users.filter((_, i) => served[i] === 'canary-1').map(({ id }) => id)
  }

  const [gateways, [larger = ''], [closed = '']] = await Promise.all([
    gatewaysWith(30, 3),
    gatewaysWith(60, 1),
    gatewaysWith(0, 1, 'off'),
  ])
  const [first = ''] = gateways
  const chosen = await usersOfCanary(first)
  // The share of the hashes of these 60 ids below 0.3 is no estimate: it is equal in each run.
  expect(chosen.length / USERS).toBeGreaterThan(0.2)
  expect(chosen.length / USERS).toBeLessThan(0.4)
  for (const gateway of gateways) expect(await usersOfCanary(gateway)).toEqual(chosen)

  for (const gateway of gateways) {
    expect(await servedBy(gateway, administrator, 'canary')).toBe('canary-1')
    expect(await servedBy(gateway, administrator, 'main')).toBe('main-1')
    for (const user of users.slice(0, 10)) {
      const expected = chosen.includes(user.id) ? 'canary-1' : 'main-1'
      expect(await servedBy(gateway, user, 'canary')).toBe(expected)
      expect(await servedBy(gateway, user, 'main')).toBe(expected)
    }
  }
  const received = [...main.seen, ...canary.seen]
  expect(received.filter(({ headers }) => 'x-canary' in headers)).toEqual([])

  const usersOfLarger = await usersOfCanary(larger)
  expect(usersOfLarger.length).toBeGreaterThan(chosen.length)
  expect(chosen.filter((id) => !usersOfLarger.includes(id))).toEqual([])

  expect(await servedBy(closed, administrator, 'canary')).toBe('main-1')

  // A canary that ends loses none of its users.
  await canary[Symbol.asyncDispose]()
  const user = users.find(({ id }) => chosen.includes(id))
  if (!user) throw new Error('the canary has no user')
  await until(async () => (await servedBy(first, user)) === 'main-1')
})
