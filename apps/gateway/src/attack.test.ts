import { expect, test } from '@repo/testing'
import { attackChecks, runChecks, startRecorder } from '@repo/testing/attack'
import { environment, signedIn } from './gateway.fixture.ts'

const GATEWAY = new URL('main.ts', import.meta.url)
const EDGE = new URL('../../../infra/local/src/edge.ts', import.meta.url)
const READY = '/.edge/readyz'
const LIMITS = new URL('../limits.load-test.json', import.meta.url).pathname

test('the table has at least 303 attacks, each with another name', () => {
  expect(attackChecks.length).toBeGreaterThanOrEqual(303)
  expect(new Set(attackChecks.map(({ name }) => name)).size).toBe(attackChecks.length)
})

test('the embedded edge refuses or neutralises every attack', async ({ replicas }) => {
  await using recorder = await startRecorder([0, 0], '127.0.0.1')
  const [gateway, web] = recorder.ports.map((port) => `http://127.0.0.1:${port}`)
  const [edge] = await replicas(1, {
    program: EDGE,
    env: edgeSettings(gateway, web),
    ready: READY,
  })
  const target = { ...addressOf(edge!), front: 'edge', kind: 'embedded' } as const
  const outcomes = await runChecks(attackChecks, target, recorder)
  expect(outcomes.length).toBeGreaterThanOrEqual(266)
  expect(outcomes.filter(({ isBroken }) => isBroken)).toEqual([])
})

test('an edge and a gateway refuse or neutralise every attack, and the log has no forged line', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using recorder = await startRecorder([0, 0], '127.0.0.1')
  const [upstream = '', web] = recorder.ports.map((port) => `http://127.0.0.1:${port}`)
  const { cookie } = await signedIn(databaseUrl)
  const env = { ...environment({ databaseUrl, redisUrl, upstream }), LIMITS_FILE: LIMITS }
  const [gateway] = await replicas(1, { program: GATEWAY, env, ready: '/readyz' })
  const [edge] = await replicas(1, {
    program: EDGE,
    env: edgeSettings(gateway!.url, web),
    ready: READY,
  })
  const target = { ...addressOf(edge!), front: 'gateway', kind: 'embedded', cookie } as const
  const outcomes = await runChecks(attackChecks, target, recorder)
  expect(outcomes.length).toBeGreaterThanOrEqual(266)
  expect(outcomes.filter(({ isBroken }) => isBroken)).toEqual([])
  for (const line of gateway!.lines()) {
    const { event } = JSON.parse(line)
    expect(event).not.toBe('forged')
  }
  expect(gateway!.output()).not.toContain(cookie)
})

function edgeSettings(gateway = '', web = ''): Record<string, string> {
  return { EDGE_HOST: '127.0.0.1', GATEWAY_URLS: gateway, WEB_URLS: web }
}

function addressOf({ url }: { url: string }) {
  return { host: '127.0.0.1', port: Number(new URL(url).port) }
}
