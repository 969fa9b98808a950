import { expect } from 'vitest'
import { ask, deadOrigin, test } from '../servers.fixture.ts'
import { groupAt, hashOf } from './groups.ts'

const users = Array.from({ length: 20_000 }, (_, i) => `user-${i}`)

function groupsWith(canary: number) {
  return [
    { name: 'main', weight: 100 - canary },
    { name: 'canary', weight: canary },
  ]
}

const groupOf = (user: string, canary: number) => groupAt(groupsWith(canary), hashOf(user))?.name

test('each group has its share of the users', () => {
  for (const canary of [0, 1, 5, 50, 100]) {
    const count = users.filter((user) => groupOf(user, canary) === 'canary').length
    expect(Math.abs(count / users.length - canary / 100)).toBeLessThan(0.01)
  }
})

test('a user stays in the canary group when its weight grows', () => {
  const before = users.filter((user) => groupOf(user, 5) === 'canary')
  expect(before.length).toBeGreaterThan(500)
  expect(before.every((user) => groupOf(user, 10) === 'canary')).toBe(true)
})

test('a user stays in one group, a header chooses it where a hook allows it, and a dead group is replaced', async ({
  servers,
}) => {
  const main = await servers.serve((_req, res) => res.end('main'))
  const canary = await servers.serve((_req, res) => res.end('canary'))
  const dead = await deadOrigin()
  const upstreamWith = (targets: string[]) =>
    servers.upstreamOf([main], {
      groups: [{ name: 'canary', weight: 50, targets }],
      ejection: { failures: 1 },
    })
  const proxyWith = (targets: string[]) =>
    servers.proxyOf(upstreamWith(targets), {
      pickContext(req) {
        const group = req.headers['x-group']
        const stickyKey = String(req.headers['x-user'])
        return typeof group === 'string' ? { stickyKey, group } : { stickyKey }
      },
    })
  const proxy = await proxyWith([canary])
  const seen = new Set<string>()
  for (let user = 0; user < 20; user += 1) {
    const headers = { 'x-user': `user-${user}` }
    const { body } = await ask(proxy, { headers })
    seen.add(body)
    for (let i = 0; i < 3; i += 1) expect((await ask(proxy, { headers })).body).toBe(body)
    for (const group of ['main', 'canary']) {
      const chosen = await ask(proxy, { headers: { ...headers, 'x-group': group } })
      expect(chosen.body).toBe(group)
    }
    const unknown = await ask(proxy, { headers: { ...headers, 'x-group': 'other' } })
    expect(unknown.body).toBe(body)
  }
  expect(seen).toEqual(new Set(['main', 'canary']))

  const broken = await proxyWith([dead])
  for (let user = 0; user < 20; user += 1) {
    const headers = { 'x-user': `user-${user}` }
    expect((await ask(broken, { headers, method: 'POST' })).body).toBe('main')
  }
})
