import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { migrateDatabase } from '@repo/database'
import { expect, type Replica, type ReplicaOptions, test, until } from '@repo/testing'
import { findUnconnected, startTraceReceiver, type TraceReceiver } from '@repo/testing/otlp'
import { ask, environment, ORIGIN, SECRET, signedIn } from './gateway.fixture.ts'

const gateway = new URL('main.ts', import.meta.url)
const auth = new URL('../../auth/src/main.ts', import.meta.url)
const payments = new URL('../../payments/src/main.ts', import.meta.url)
const edge = new URL('../../../infra/local/src/edge.ts', import.meta.url)

type Start = (n: number, options: ReplicaOptions) => Promise<Replica[]>

/** The settings of an instance that sends its spans at once. */
function sendingTo({ url }: TraceReceiver): Record<string, string> {
  return { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '200' }
}

function urls(list: readonly Replica[]): string {
  return list.map(({ url }) => url).join()
}

/** Starts the edge, two gateways, an auth instance and two payments instances. */
async function startCluster(
  replicas: Start,
  stores: { databaseUrl: string; redisUrl: string },
  traces: Record<string, string>,
) {
  await migrateDatabase({ url: stores.databaseUrl })
  const env = { ...environment({ ...stores, upstream: 'http://127.0.0.1:1' }), ...traces }
  const ready = '/readyz'
  const [authInstances, paymentsInstances] = await Promise.all([
    replicas(1, { program: auth, env, ready }),
    replicas(2, { program: payments, env, ready }),
  ])
  const upstreams = { AUTH_URLS: urls(authInstances), PAYMENTS_URLS: urls(paymentsInstances) }
  const gateways = await replicas(2, { program: gateway, env: { ...env, ...upstreams }, ready })
  const behind = { GATEWAY_URLS: urls(gateways), WEB_URLS: urls(gateways) }
  const [front] = await replicas(1, {
    program: edge,
    env: { ...traces, EDGE_HOST: '127.0.0.1', ...behind },
    ready: '/.edge/readyz',
  })
  if (!front) throw new Error('no edge')
  const all = [front, ...gateways, ...authInstances, ...paymentsInstances]
  return { url: front.url, stop: () => Promise.all(all.map((each) => each.terminate())) }
}

/** Waits until the trace of a request with this name is whole, and returns its spans. */
async function wholeTrace(receiver: TraceReceiver, name: string, spans: number) {
  return until(async () => {
    const found = await receiver.traceWith(name)
    return findUnconnected(found).length === 0 && found.length >= spans && found
  })
}

function servicesOf(spans: readonly { resource: Record<string, unknown> }[]) {
  return [...new Set(spans.map(({ resource }) => String(resource['service.name'])))].toSorted()
}

test('a sign-in and a payment are one connected trace each, and no secret of them is in any span', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using receiver = await startTraceReceiver()
  const traces = { ...sendingTo(receiver), TRACE_SECRET: `trace-${SECRET}` }
  const { url } = await startCluster(replicas, { databaseUrl, redisUrl }, traces)
  const email = `ada-${randomUUID()}@threefold.test`
  const [password, reference] = [randomUUID(), randomUUID()]
  const account = { email, password }
  const post = { method: 'POST', headers: { origin: ORIGIN } }
  const signUp = await ask(url, '/api/auth/sign-up/email', {
    ...post,
    body: JSON.stringify({ ...account, name: 'Ada' }),
  })
  expect(signUp.status).toBe(200)
  const signIn = await ask(url, '/api/auth/sign-in/email', {
    ...post,
    body: JSON.stringify(account),
  })
  expect(signIn.status).toBe(200)
  const cookie = (signIn.headers['set-cookie'] ?? [])
    .map((line) => line.split(';', 1)[0])
    .join('; ')
  const paid = await ask(url, '/api/payments?note=in-the-query', {
    method: 'POST',
    headers: { cookie },
    body: JSON.stringify({ amount: 12, currency: 'EUR', reference }),
  })
  expect(paid.status).toBe(201)
  const wrong = await ask(url, '/api/auth/sign-in/email', {
    ...post,
    body: JSON.stringify({ email, password: `wrong-${password}` }),
  })
  expect(wrong.status).toBe(401)

  const signedInTrace = await wholeTrace(receiver, 'POST /api/auth/sign-in/email', 7)
  expect(servicesOf(signedInTrace)).toEqual(['auth', 'edge', 'gateway'])
  const paidTrace = await wholeTrace(receiver, 'POST /api/payments', 6)
  expect(servicesOf(paidTrace)).toEqual(['edge', 'gateway', 'payments'])
  expect(paidTrace.map(({ name }) => name)).toContain('postgres insert payment')
  const served = paidTrace.find(
    ({ kind, resource }) => kind === 2 && resource['service.name'] === 'gateway',
  )
  expect(served?.attributes).toMatchObject({
    'threefold.session.outcome': 'valid',
    'threefold.session.tier': expect.stringMatching(/^(memo|cookie|redis|database)$/),
    'threefold.limit.outcome': 'allowed',
    'http.route': '/api/payments',
  })
  const received = receiver.requests.map(({ body }) => body).join('\n')
  const cookies = cookie
    .split('; ')
    .map((pair) => decodeURIComponent(pair.slice(pair.indexOf('=') + 1)))
  const tokens = cookies
    .flatMap((value) => [value, ...value.split('.')])
    .filter((part) => part.length > 8)
  expect(tokens.length).toBeGreaterThan(1)
  const secrets = [email, password, reference, 'in-the-query', SECRET, ...tokens]
  for (const secret of secrets) expect(received).not.toContain(secret)
})

test('with half of the traces recorded, each of 60 traces is recorded by all instances or by none', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using receiver = await startTraceReceiver()
  const { cookie } = await signedIn(databaseUrl)
  const { url, stop } = await startCluster(
    replicas,
    { databaseUrl, redisUrl },
    {
      ...sendingTo(receiver),
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
      TRACE_SECRET: `trace-${SECRET}`,
    },
  )
  for (let n = 0; n < 60; n += 1) {
    // The flag and the key of a client have no effect.
    const headers = {
      cookie,
      traceparent: `00-${randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01`,
      'x-trace-key': SECRET,
    }
    expect((await ask(url, '/api/payments', { headers })).status).toBe(200)
  }
  const roots = () => receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined)
  const traceOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId)
  // An instance that drains sends its last spans.
  await stop()
  // The probability of a share outside of these bounds is less than 1 in 10 million.
  expect(roots().length).toBeGreaterThan(9)
  expect(roots().length).toBeLessThan(51)
  const ids = new Set(receiver.spans.map(({ traceId }) => traceId))
  expect(ids.size).toBe(roots().length)
  for (const traceId of ids) {
    expect(findUnconnected(traceOf(traceId))).toEqual([])
    expect(servicesOf(traceOf(traceId))).toEqual(['edge', 'gateway', 'payments'])
  }
})

/** Returns the value of a series of spans that were dropped. */
async function droppedFor({ url }: Replica, reason: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const series = new RegExp(
    `^threefold_trace_spans_dropped_total\\{reason="${reason}",.*\\} (\\d+)`,
    'm',
  )
  return Number(series.exec(text)?.[1])
}

test('requests are served while the receiver hangs, fails, is slow or has ended, and lost spans are counted', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  const receiver = await startTraceReceiver()
  const env = {
    ...environment({ databaseUrl, redisUrl, upstream: 'http://127.0.0.1:1' }),
    ...sendingTo(receiver),
    LIMITS_FILE: fileURLToPath(new URL('../limits.load-test.json', import.meta.url)),
  }
  const [instance] = await replicas(1, { program: gateway, env, ready: '/readyz' })
  if (!instance) throw new Error('no gateway')

  async function serveUntil(isOver: () => boolean | Promise<boolean>) {
    await until(async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => ask(instance!.url, '/api/me', { headers: { cookie } })),
      )
      for (const { status } of answers) expect(status).toBe(200)
      return isOver()
    })
  }
  const isDroppedFor = (reason: string) => async () => (await droppedFor(instance, reason)) > 0

  receiver.behave('hang')
  await serveUntil(isDroppedFor('timeout'))
  receiver.behave(500)
  await serveUntil(isDroppedFor('refused'))
  const accepted = receiver.spans.length
  const arrived: ServerResponse[] = []
  const waiting: ServerResponse[] = []
  receiver.behave((res) => void arrived.push(res))
  const sent = receiver.requests.length
  await serveUntil(() => {
    // Each of them has waited while a whole round of requests was served.
    for (const res of waiting.splice(0)) res.end('{}')
    waiting.push(...arrived.splice(0))
    return receiver.requests.length > sent + 1
  })
  for (const res of waiting) res.end('{}')
  receiver.behave('accept')
  expect((await ask(instance.url, '/api/me', { headers: { cookie } })).status).toBe(200)
  await until(() => receiver.spans.length > accepted)
  await receiver.close()
  await serveUntil(isDroppedFor('unreachable'))
})

test('a change of a setting is sent to all instances in spans with links to its request, by any of two gateways', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using receiver = await startTraceReceiver()
  const { cookie } = await signedIn(databaseUrl, 'admin')
  const env = {
    ...environment({ databaseUrl, redisUrl, upstream: 'http://127.0.0.1:1' }),
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    // The tests before used the quota of the address.
    LIMITS_FILE: fileURLToPath(new URL('../limits.load-test.json', import.meta.url)),
  }
  const [first] = await replicas(2, { program: gateway, env, ready: '/readyz' })
  if (!first) throw new Error('no gateway')
  const changed = await ask(first.url, '/api/settings/payments', {
    method: 'PUT',
    headers: { cookie, origin: ORIGIN },
    body: JSON.stringify({ value: 'closed' }),
  })
  expect(changed.status).toBe(200)
  const [keys, tags, request] = await until(() => {
    const found = ['outbox keys', 'outbox tags', 'PUT /api/settings/{name}'].map((name) =>
      receiver.spans.find((span) => span.name === name),
    )
    return found.every((span) => span !== undefined) && found
  })
  const links = [{ traceId: request?.traceId, spanId: request?.spanId }]
  expect([keys, tags]).toMatchObject([{ links }, { links }])
})
