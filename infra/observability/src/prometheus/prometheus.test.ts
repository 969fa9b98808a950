import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, freePort, test, until } from '@repo/testing'
import { parse } from 'yaml'
import { quickenRules } from './pace.ts'
import { startPrometheus } from './prometheus.ts'
import { findTools } from './tools.ts'

const RULES = readFileSync(join(import.meta.dirname, '../../rules.yml'), 'utf8')
const tools = await findTools('prometheus')

test('rules at another pace have shorter windows and the same thresholds', () => {
  const quick: { groups: { rules: { alert?: string; expr: string; for?: string }[] }[] } = parse(
    quickenRules(RULES, 60),
  )
  const rules = quick.groups.flatMap((group) => group.rules)
  const rule = (name: string) => rules.find(({ alert }) => alert === name)
  expect(rule('EventLoopSlow')).toMatchObject({
    for: '5000ms',
    expr: expect.stringContaining('> 0.2'),
  })
  expect(rule('SessionHitRateLow')?.expr).toContain('[10000ms]')
  expect(rule('CertificateExpires')?.expr).toContain('21 * 24 * 3600')
  expect(rules.filter(({ expr }) => /\[\d+[smh]\]/.test(expr))).toEqual([])
})

test('a program that does not exist is an error that contains the reason', async () => {
  const options = { tools: '/nowhere', port: 1, jobs: [], rules: 'groups: []', intervalMs: 1_000 }
  await expect(startPrometheus(options)).rejects.toThrow(
    'Prometheus did not start on port 1: spawn /nowhere/prometheus ENOENT',
  )
})

describe.skipIf(!tools)('with Prometheus, which needs a machine with apt-get', () => {
  test('a gauge that breaks and recovers fires its alert and resolves it, in a real Prometheus', async () => {
    let open = 0
    const server = createServer((_, res) => {
      res.setHeader('content-type', 'text/plain; version=0.0.4')
      res.end(`threefold_redis_breaker_open{app="auth",instance="auth-1"} ${open}\n`)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    await using prometheus = await startPrometheus({
      tools: tools ?? '',
      port: await freePort(),
      jobs: [
        {
          name: 'threefold',
          targets: [
            { address: `127.0.0.1:${address.port}`, labels: { app: 'auth', instance: 'auth-1' } },
          ],
        },
      ],
      rules: quickenRules(RULES, 100),
      intervalMs: 200,
    })
    const states = async () =>
      (await prometheus.alerts()).filter(({ name }) => name === 'RedisBreakerOpen')
    await until(async () => (await prometheus.query('threefold_redis_breaker_open')).length === 1)
    expect(await states()).toEqual([])
    open = 1
    await until(async () => (await states())[0]?.state === 'firing')
    expect((await states())[0]).toMatchObject({
      labels: { severity: 'page', app: 'auth', instance: 'auth-1' },
      annotations: {
        summary: 'auth-1 cannot use Redis',
        runbook_url: 'docs/runbooks.md#redisbreakeropen',
      },
    })
    open = 0
    await until(async () => (await states()).length === 0)
    await new Promise((resolve) => server.close(resolve).closeAllConnections())
  })

  test('a busy port is an error that contains the reason', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    const options = {
      tools: tools ?? '',
      port: address.port,
      jobs: [],
      rules: 'groups: []',
      intervalMs: 1_000,
    }
    await expect(startPrometheus(options)).rejects.toThrow('address already in use')
    server.close()
  })
})
