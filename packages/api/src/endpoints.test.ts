import { expect, test } from 'vitest'
import { endpoints } from './endpoints.ts'
import { authRequests } from './requests/auth.ts'
import { scopes } from './scopes.ts'

test('no two endpoints have the same method and path, and two paths that differ in a parameter only have the same name for it', () => {
  const keys = endpoints.map(({ method, path }) => `${method} ${path}`)
  expect(new Set(keys).size).toBe(keys.length)
  const shapes = new Map<string, string>()
  for (const { path } of endpoints) {
    const shape = path.replaceAll(/\{\w+\}/g, '{}')
    expect(shapes.get(shape) ?? path).toBe(path)
    shapes.set(shape, path)
  }
})

test('a path of an endpoint has lowercase segments, and a parameter is a whole segment', () => {
  for (const { path } of endpoints) {
    expect(path).toMatch(/^\/api(\/([a-z0-9][a-z0-9.-]*|\{[a-z]\w*\}))+$/)
  }
})

test('only methods with a body have one, and every endpoint has a response and a summary of one line', () => {
  for (const { method, path, body, query, summary, responses } of endpoints) {
    const isRead = method === 'GET' || method === 'DELETE'
    expect(body === undefined || !isRead, `${method} ${path} has a body`).toBe(true)
    expect(query === undefined || isRead, `${method} ${path} has a query`).toBe(true)
    expect(summary).toMatch(/^[A-Z].{4,80}[^.]$/)
    expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true)
  }
})

test('every endpoint of Better Auth that auth accepts is in the list, with its summary', () => {
  const listed = endpoints.filter(({ path }) => path.startsWith('/api/auth/'))
  expect(listed.map(({ method, path }) => `${method} ${path.slice('/api/auth'.length)}`)).toEqual(
    Object.keys(authRequests),
  )
  expect(new Set(listed.map(({ summary }) => summary)).size).toBe(listed.length)
})

test('every scope permits an endpoint, and no endpoint for administrators or of keys has a scope', () => {
  const used = endpoints.flatMap(({ scope }) => scope ?? [])
  expect([...new Set(used)].toSorted()).toEqual(Object.keys(scopes).toSorted())
  for (const { path, auth, scope } of endpoints) {
    if (auth !== 'signed-in' || path.startsWith('/api/keys')) expect(scope, path).toBeUndefined()
  }
})

test('an endpoint that runs exactly once accepts a key, and no endpoint whose method is safe does', () => {
  const keyed = endpoints.filter(({ idempotency }) => idempotency !== undefined)
  expect(keyed.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /api/payments'])
  for (const { method, idempotency, exactlyOnce } of endpoints) {
    if (exactlyOnce) expect(idempotency).toBeDefined()
    if (method === 'GET') expect(idempotency).toBeUndefined()
  }
})
