import { request } from 'node:http'
import { createMetrics } from '@repo/observability'
import { expect } from 'vitest'
import { loadShedderFigures, upstreamFigures } from './figures.ts'
import { createLoadShedder } from './overload/load-shedder.ts'
import { ask, deadOrigin, test, until } from './servers.fixture.ts'
import type { Upstream } from './upstream/upstream.ts'

/** Returns the series of one metric in a scrape of these upstreams: `label=value ...` -> value. */
async function scrape(name: string, ...upstreams: Upstream[]): Promise<Record<string, number>> {
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  for (const upstream of upstreams) metrics.observe(upstreamFigures(upstream))
  const lines = (await metrics.registry.metrics()).split('\n')
  const found = lines.filter((line) => line.startsWith(`threefold_proxy_${name}{`))
  return Object.fromEntries(
    found.map((line) => {
      const [, labels = '', value] = /\{(.*)\} (.*)$/.exec(line) ?? []
      const read = labels.replace(/,?(upstream|app|instance)="[^"]*"/g, '').replace(/^,/, '')
      return [read.replaceAll('"', ''), Number(value)]
    }),
  )
}

const hostOf = (origin: string) => new URL(origin).host
const sumOf = (series: Record<string, number>) =>
  Object.values(series).reduce((sum, value) => sum + value, 0)

test('each attempt is counted once, by its target and by how it ended', async ({ servers }) => {
  const origins = {
    ok: await servers.serve((_req, res) => res.writeHead(404).end()),
    error: await servers.serve((_req, res) => res.writeHead(500).end()),
    reset: await servers.serve((req) => req.socket.destroy()),
    refused: await deadOrigin(),
    timeout: await servers.serve(() => {}),
    late: await servers.serve(() => {}),
    broken: await servers.serve((_req, res) => {
      res.writeHead(200).write('the rest never follows')
      setTimeout(() => res.destroy(), 20)
    }),
  }
  const outcomes: Record<string, string | undefined> = {}
  for (const [behaviour, origin] of Object.entries(origins)) {
    const upstream = servers.upstreamOf([origin], { headersTimeoutMs: 300 })
    const deadlineMs = behaviour === 'late' ? 50 : 10_000
    const proxy = await servers.proxyOf(upstream, { deadlineMs })
    for (let i = 0; i < 2; i += 1) await ask(proxy).catch(() => 'broke off')
    await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))
    const series = await scrape('requests_total', upstream)
    expect(sumOf(series)).toBe(2)
    const counted = Object.keys(series).find((labels) => series[labels] === 2)
    expect(counted).toContain(`target=${hostOf(origin)}`)
    outcomes[behaviour] = counted?.replace(/.*outcome=/, '')
  }
  expect(outcomes).toEqual({
    ok: 'ok',
    error: 'error',
    reset: 'error',
    refused: 'refused',
    timeout: 'timeout',
    late: 'timeout',
    broken: 'error',
  })
})

test('an attempt whose client disconnects is no failure of its target', async ({ servers }) => {
  const origin = await servers.serve(() => {})
  const upstream = servers.upstreamOf([origin])
  const proxy = await servers.proxyOf(upstream)
  const client = request(proxy).on('error', () => {})
  client.end()
  const inFlight = `target=${hostOf(origin)}`
  await expect.poll(async () => (await scrape('target_in_flight', upstream))[inFlight]).toBe(1)
  expect(sumOf(await scrape('requests_total', upstream))).toBe(0)
  client.destroy()
  await until(() => upstream.targets()[0]?.inFlight === 0)
  const series = await scrape('requests_total', upstream)
  expect(series[`target=${hostOf(origin)},outcome=aborted`]).toBe(1)
  expect(sumOf(series)).toBe(1)
})

test('a dead target is refused, retried elsewhere, ejected and not healthy, and the other one is', async ({
  servers,
}) => {
  const [live, dead] = [await servers.serve((_req, res) => res.end('live')), await deadOrigin()]
  const upstream = servers.upstreamOf([live, dead], { ejection: { durationMs: 600_000 } })
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 20; i += 1) expect((await ask(proxy)).body).toBe('live')
  const requests = await scrape('requests_total', upstream)
  expect(requests[`target=${hostOf(live)},outcome=ok`]).toBe(20)
  expect(requests[`target=${hostOf(dead)},outcome=refused`]).toBe(3)
  expect(sumOf(requests)).toBe(23)
  expect(await scrape('retries_total', upstream)).toEqual({ '': 3 })
  expect(await scrape('ejections_total', upstream)).toEqual({
    [`target=${hostOf(live)}`]: 0,
    [`target=${hostOf(dead)}`]: 1,
  })
  expect(await scrape('target_healthy', upstream)).toEqual({
    [`target=${hostOf(live)}`]: 1,
    [`target=${hostOf(dead)}`]: 0,
  })
})

test('a request for which the budget has no retry is counted, and every other one as a retry', async ({
  servers,
}) => {
  const busy = () => servers.serve((_req, res) => res.writeHead(503).end())
  const upstream = servers.upstreamOf([await busy(), await busy()])
  const proxy = await servers.proxyOf(upstream)
  let requests = 0
  while (upstream.stats().refusedRetries === 0) {
    await Promise.all(Array.from({ length: 50 }, () => ask(proxy)))
    requests += 50
  }
  const retries = sumOf(await scrape('retries_total', upstream))
  const exhausted = sumOf(await scrape('retry_budget_exhausted_total', upstream))
  expect(exhausted).toBeGreaterThan(0)
  expect(retries).toBeGreaterThanOrEqual(200)
  expect(retries + exhausted).toBe(requests)
  expect(sumOf(await scrape('requests_total', upstream))).toBe(requests + retries)
})

test('a request without a slot is waiting until it gets one', async ({ servers }) => {
  const held: (() => void)[] = []
  const origin = await servers.serve((_req, res) => held.push(() => res.end()))
  const upstream = servers.upstreamOf([origin], { connections: 1, queueMs: 60_000 })
  const proxy = await servers.proxyOf(upstream)
  const answers = [ask(proxy), ask(proxy), ask(proxy)]
  await expect.poll(() => scrape('queue_waiting', upstream)).toEqual({ '': 2 })
  expect(sumOf(await scrape('target_in_flight', upstream))).toBe(1)
  while (held.length < 3) {
    held.at(-1)?.()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  held.at(-1)?.()
  await Promise.all(answers)
  expect(await scrape('queue_waiting', upstream)).toEqual({ '': 0 })
})

test('at most 12 targets have their series, the others share one, and a removed target has none', async ({
  servers,
}) => {
  const origin = await servers.serve((_req, res) => res.end())
  const { port } = new URL(origin)
  const origins = Array.from({ length: 15 }, (_, i) => `http://127.0.0.${i + 1}:${port}`)
  const listeners: ((list: readonly string[]) => void)[] = []
  const follow = (listener: (list: readonly string[]) => void) => {
    listeners.push(listener)
    listener(origins)
    return () => {}
  }
  const update = (list: string[]) => listeners.forEach((listener) => listener(list))
  const upstream = servers.upstreamOf([], { targets: { follow } })
  const labelsOf = async (name: string) => Object.keys(await scrape(name, upstream))
  expect(await labelsOf('target_healthy')).toHaveLength(13)
  expect(await labelsOf('requests_total')).toHaveLength(13 * 5)

  const targets = upstream.targets()
  for (const { counts } of targets) Object.assign(counts, { ok: counts.ok + 1 })
  const before = await scrape('requests_total', upstream)
  expect(before['target=other,outcome=ok']).toBe(3)
  expect(before[`target=127.0.0.1:${port},outcome=ok`]).toBe(1)
  expect(sumOf(before)).toBe(15)

  // One target leaves, and a new one takes its place: the series of the others continue.
  const added = `http://127.0.0.20:${port}`
  update([added, ...origins.slice(1)])
  const after = await scrape('requests_total', upstream)
  expect(after[`target=127.0.0.1:${port},outcome=ok`]).toBeUndefined()
  expect(Object.keys(after)).toHaveLength(13 * 5)
  expect(after['target=other,outcome=ok']).toBe(3)
  expect(after[`target=127.0.0.2:${port},outcome=ok`]).toBe(1)

  update([added])
  expect((await labelsOf('target_healthy')).toSorted()).toHaveLength(1)
})

test('requests that the load shedder refuses are counted', async () => {
  let [nowMs, cpuMs] = [0, 0]
  const ticks: (() => void)[] = []
  const every = (_ms: number, tick: () => void) => {
    ticks.push(tick)
    return () => {}
  }
  const clocks = { now: () => nowMs, cpuMs: () => cpuMs, every }
  const shedder = createLoadShedder({ limitMs: 100, ...clocks })
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(loadShedderFigures(shedder))
  shedder.isOverloaded()
  for (let turn = 0; turn < 2; turn += 1) {
    nowMs += 500
    cpuMs += 500
    if (turn === 0) ticks[0]?.()
  }
  expect([shedder.isOverloaded(), shedder.isOverloaded()]).toEqual([true, true])
  expect(await metrics.registry.metrics()).toMatch(/^threefold_proxy_shed_total\{.*\} 2$/m)
})
