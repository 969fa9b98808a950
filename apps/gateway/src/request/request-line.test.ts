import { createServer } from 'node:http'
import { createUserHash } from '@repo/service'
import { expect, test, until } from '@repo/testing'
import { ask, environment, SECRET, signedIn } from '../gateway.fixture.ts'
import { listen, serveUpstream } from '../servers.fixture.ts'

const program = new URL('../main.ts', import.meta.url)

test('the request lines of three gateways have the route, the instance that responded, the tries, and the same hash of the user', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using upstream = await serveUpstream('payments-7')
  const breaking = createServer((req, res) => {
    if (req.url === '/readyz') res.end()
    else req.socket.destroy()
  })
  await using broken = await listen(breaking)
  const { cookie, identity } = await signedIn(databaseUrl)
  const targets = `${upstream.origin},${broken.origin}`
  const env = environment({ databaseUrl, redisUrl, upstream: targets })
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const user = createUserHash(SECRET)(identity.userId)

  for (const replica of three) {
    const path = '/api/payments/0198b9d2?secret=in-the-query'
    const requestLines = (): Record<string, unknown>[] =>
      replica
        .lines()
        .map((line) => JSON.parse(line))
        .filter((line) => line['event'] === 'request' && line['path'] === '/api/payments/0198b9d2')
    let sent = 0
    let bytes = 0
    await until(async () => {
      const { status, body } = await ask(replica.url, path, { headers: { cookie } })
      expect(status).toBe(200)
      bytes = JSON.stringify(body).length
      sent += 1
      return requestLines().some(({ tries }) => tries === 2)
    })
    await until(() => requestLines().length === sent)
    for (const line of requestLines()) {
      expect(line).toMatchObject({ route: '/api/payments/{id}', upstream: 'payments-7', user })
      expect(line).toMatchObject({ span: expect.stringMatching(/^[0-9a-f]{16}$/), bytes })
      expect([1, 2]).toContain(line['tries'])
    }
    await ask(replica.url, '/api/payments/0198b9d2')
    await until(() => requestLines().length === sent + 1)
    expect(requestLines().at(-1)).not.toHaveProperty('user')
    expect(requestLines().at(-1)).not.toHaveProperty('upstream')
  }
  for (const replica of three) {
    for (const secret of [identity.userId, identity.email, 'in-the-query', cookie]) {
      expect(replica.output()).not.toContain(secret)
    }
  }
})
