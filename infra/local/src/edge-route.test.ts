import { services } from '@repo/services'
import { expect, test } from 'vitest'
import { createEdgeRoutes } from './edge-route.ts'

const routeOf = createEdgeRoutes(services)

test('the edge sends the paths of the gateway to it, no path of an instance to any, and all others to web', () => {
  const expected = {
    '/api': 'gateway',
    '/api/': 'gateway',
    '/api?x': 'gateway',
    '/api/auth/sign-in/email?a=//%2f': 'gateway',
    '/.well-known/openid-configuration': 'gateway',
    '/': 'web',
    '/apis': 'web',
    '/API/me': 'web',
    '/.well-knownx': 'web',
    '/metrics/x': 'web',
    '/_next/static/chunks/app/%5Bid%5D/page.js': 'web',
    '/payments?_rsc=1a2b3': 'web',
    '/metrics': 'nowhere',
    '/health?x': 'nowhere',
    '/livez': 'nowhere',
    '/readyz': 'nowhere',
    '/metrics/': 'nowhere',
    '/METRICS': 'nowhere',
    '/Livez/?x=/': 'nowhere',
    '/HEALTH': 'nowhere',
    '/healthy': 'web',
    '/metrics.json': 'web',
    '/.edge/readyz': 'edge',
  }
  const found = Object.keys(expected).map((target) => [target, routeOf(target).to])
  expect(Object.fromEntries(found)).toEqual(expected)
})

test('a path that web or the gateway could read as another one is refused at the edge by its rule', () => {
  const expected = {
    '/api\\..\\admin': 'backslash',
    '/api/%6de': 'escaped-unreserved',
    '//api/me': 'empty-segment',
    '/_next/../api/me': 'dot-segment',
    '/admin%2fusers': 'escaped-separator',
    '/admin%5cusers': 'escaped-separator',
    '/a%00': 'escaped-control',
    '/metrics%2e': 'escaped-unreserved',
    'http://evil.test/api/me': 'absolute',
    '*': 'absolute',
  }
  const found = Object.keys(expected).map((target) => {
    const route = routeOf(target)
    return [target, route.to === 'refused' ? route.rule : route.to]
  })
  expect(Object.fromEntries(found)).toEqual(expected)
})
