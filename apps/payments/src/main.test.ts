import { expect, test } from '@repo/testing'
import { identityFor, order, payer, SECRET } from './app.fixture.ts'

const program = new URL('main.ts', import.meta.url)

test('a payment that one instance made is listed by another, and both instances stop with exit code 0', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ORIGIN: 'http://localhost:8080',
    INTERNAL_SECRET: SECRET,
    DRAIN_MS: '0',
  }
  const [one, two] = await replicas(2, { program, env, ready: '/readyz' })
  const ada = payer()
  const made = await fetch(`${one!.url}/api/payments`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...identityFor(ada, 'POST', '/api/payments', JSON.stringify(order)),
    },
    body: JSON.stringify(order),
  })
  expect(made.status).toBe(201)
  const listed = await fetch(`${two!.url}/api/payments`, {
    headers: identityFor(ada, 'GET', '/api/payments'),
  })
  expect(listed.headers.get('x-instance-id')).toBe('replica-2')
  expect(await listed.json()).toEqual({ payments: [await made.json()] })
  for (const replica of [one!, two!]) {
    expect(await replica.terminate()).toBe(0)
    expect(replica.output()).not.toContain(SECRET)
  }
})
