import { expect, test } from 'vitest'
import { createPageRoutes, routesManifest } from './page-routes.ts'

const routeOf = createPageRoutes(
  routesManifest.parse({
    version: 3,
    staticRoutes: ['/', '/_not-found', '/users', '/account/keys', '/icon.svg'].map((page) => ({
      page,
      regex: `^${page}(?:/)?$`,
    })),
    dynamicRoutes: [
      { page: '/users/[id]', regex: '^/users/([^/]+?)(?:/)?$' },
      { page: '/docs/[[...path]]', regex: '^/docs(?:/(.+?))?(?:/)?$' },
    ],
  }),
)

test('a path has the template of its page, and all files of a build have one', () => {
  const expected = {
    '/': '/',
    '/users': '/users',
    '/account/keys': '/account/keys',
    '/icon.svg': '/icon.svg',
    '/users/4711': '/users/{id}',
    '/docs/a/b': '/docs/{path}',
    '/_next/static/chunks/4bd1b696.js': '/_next/*',
    '/_next/data/f30be913c78e/users.json': '/_next/*',
  }
  const found = Object.keys(expected).map((path) => [path, routeOf(path)])
  expect(Object.fromEntries(found)).toEqual(expected)
})

test('a path without a page has no template, so no text of a client becomes a label', () => {
  const paths = [
    ...['/nowhere', '/Users', '/users/', '/_not-found', '/wp-login.php', '/_nextx', '', 'users'],
    ...['/constructor', '/__proto__', '/users/4711/edit', `/${'a'.repeat(10_000)}`],
  ]
  expect(paths.filter((path) => routeOf(path) !== undefined)).toEqual([])
})
