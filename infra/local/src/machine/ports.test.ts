import { once } from 'node:events'
import { createServer } from 'node:net'
import { freePort } from '@repo/embedded'
import { expect, test } from 'vitest'
import { planInstances } from '../cluster/topology.ts'
import { parseOptions } from '../terminal/options.ts'
import { checkPort } from './ports.ts'
import { checkPorts } from './preflight.ts'

async function listen(port: number, host: string) {
  const server = createServer().listen({ port, host, ipv6Only: host === '::1' })
  await once(server, 'listening')
  return { [Symbol.asyncDispose]: async () => void server.close() }
}

const hasIpv6 = await listen(await freePort(), '::1').then(
  (server) => server[Symbol.asyncDispose]().then(() => true),
  () => false,
)

test('a port that no server has is free', async () => {
  expect(await checkPort(await freePort())).toBe('free')
})

test.for(['127.0.0.1', '0.0.0.0'])('a port that a server has on %s only is used', async (host) => {
  const port = await freePort()
  await using _ = await listen(port, host)
  expect(await checkPort(port)).toBe('used')
})

test.skipIf(!hasIpv6).for(['::1', '::'])(
  'a port that a server has on %s only is used',
  async (host) => {
    const port = await freePort()
    await using _ = await listen(port, host)
    expect(await checkPort(port)).toBe('used')
  },
)

function options(...args: string[]) {
  const parsed = parseOptions(args)
  if (parsed.outcome !== 'run') throw new Error('the options are invalid')
  return parsed.options
}

test('the refusal of a start names every option that it needs, with values that are free', async () => {
  const edge = await freePort()
  const base = 20_000 + 1_000 * Math.floor(Math.random() * 5)
  const chosen = options('--port', String(edge), '--ports', String(base))
  await using listeners = new AsyncDisposableStack()
  // The edge's port, one of gateway-2, and one of web-1 on the next base.
  for (const port of [edge, base + 202, base + 1_301]) {
    listeners.use(await listen(port, '127.0.0.1'))
  }
  const refusal = await checkPorts(chosen, planInstances(chosen)).catch((error: unknown) => error)
  const pattern = new RegExp(
    `^port ${edge} is in use, and port ${base + 202}, which gateway-2 needs, is in use: .*--port (\\d+) --ports (\\d+)$`,
  )
  const [, port, ports] = pattern.exec(refusal instanceof Error ? refusal.message : '') ?? []
  expect(Number(port)).toBeGreaterThan(edge)
  expect(Number(ports)).toBeGreaterThanOrEqual(base + 2_000)
  const advised = options('--port', String(port), '--ports', String(ports))
  expect(await checkPorts(advised, planInstances(advised))).toBe(undefined)
})
