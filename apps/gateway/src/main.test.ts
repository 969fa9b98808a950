import { expect, test, until } from '@repo/testing'
import { ask, environment, SECRET, signedIn } from './gateway.fixture.ts'
import { serveUpstream } from './servers.fixture.ts'

const program = new URL('main.ts', import.meta.url)
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

test('three gateways forward a request with its id and trace, list each other, and answer 503 within 1 s while Redis hangs', async ({
  replicas,
  databaseUrl,
  ownValkey,
}) => {
  await using upstream = await serveUpstream('auth-3')
  const administrator = await signedIn(databaseUrl, 'admin')
  const env = environment({ databaseUrl, redisUrl: ownValkey.url, upstream: upstream.origin })
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const headers = { cookie: administrator.cookie }

  for (const { id, url } of three) {
    const sent = {
      ...headers,
      'x-request-id': `sent-to-${id}`,
      traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
    }
    const answer = await ask(url, '/api/payments', { headers: sent })
    expect(answer.headers).toMatchObject({
      'x-instance-id': `${id}, auth-3`,
      'x-request-id': `sent-to-${id}`,
    })
    const seen = upstream.seen.at(-1)!
    expect(seen.headers['x-request-id']).toBe(`sent-to-${id}`)
    expect(seen.headers['traceparent']).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
    expect(seen.headers['traceparent']).not.toBe(sent.traceparent)
    const me = await ask(url, '/api/me')
    expect(me.headers['x-instance-id']).toBe(id)
    expect(me.body['instance']).toBe(`urn:request:${me.headers['x-request-id']?.toString()}`)
  }

  const listed = async (url: string) => (await ask(url, '/api/cluster', { headers })).body
  for (const { url } of three) {
    await until(async () => {
      const { instances } = await listed(url)
      return Array.isArray(instances) && instances.length === 3
    })
    expect(await listed(url)).toMatchObject({
      instances: three.map(({ id }) => ({ id, app: 'gateway', ready: true, drift: [] })),
    })
  }

  await ownValkey.pause()
  for (const { url } of three) {
    // It serves its cached list for at most half a second.
    await until(async () => (await ask(url, '/api/cluster', { headers })).status !== 200)
    const cluster = await ask(url, '/api/cluster', { headers })
    expect(cluster).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(cluster.ms).toBeLessThan(1_000)
    expect((await ask(url, '/api/me', { headers })).status).toBe(200)
  }
  ownValkey.resume()
  await until(async () => (await ask(three[0]!.url, '/api/cluster', { headers })).status === 200)
  for (const replica of three) {
    expect(await replica.terminate()).toBe(0)
    expect(replica.output()).not.toContain(SECRET)
    expect(replica.output()).not.toContain('session_token')
  }
})
