import { createProxy, createUpstream, getHeader, ProxyError, setHeader } from '@repo/proxy'
import { expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'

// The tests of `@repo/proxy` cannot use the fixtures, whose package depends on it.
const isCoded = (error: unknown) => error instanceof ProxyError
const nothing = () => undefined

test('an upstream takes each hostile option, or refuses it by its name', async () => {
  const valid = {
    name: 'hostile',
    targets: ['http://127.0.0.1:1'],
    connections: 1,
    onEvent: nothing,
    connectTimeoutMs: 10,
    headersTimeoutMs: 10,
    bodyTimeoutMs: 10,
    healthCheck: { path: '/', intervalMs: 1_000, timeoutMs: 10 },
    ejection: { failures: 1, durationMs: 1, panicThreshold: 0 },
  }
  const create = (options: typeof valid) => createUpstream(options).close()
  expect(await findRawErrorsOfOptions(valid, create, { isCoded })).toEqual([])
  const { healthCheck, ejection } = valid
  const createWith = { healthCheck, ejection }
  for (const option of ['healthCheck', 'ejection'] as const) {
    const nested = (options: object) =>
      Reflect.apply(create, undefined, [{ ...valid, [option]: options }])
    expect(await findRawErrorsOfOptions(createWith[option], nested, { isCoded })).toEqual([])
  }
  expect(await findRawErrors(create, { isCoded })).toEqual([])
})

test('a proxy takes each hostile option, or refuses it by its name', async () => {
  const upstream = createUpstream({ name: 'hostile', targets: [] })
  const valid = {
    upstream,
    forwarded: 'set' as const,
    dropRequestHeaders: ['x-user'],
    retries: 1,
    requestHeaders: nothing,
    responseHeaders: nothing,
    onProblem: nothing,
    maxBodyBytes: 1,
  }
  expect(await findRawErrorsOfOptions(valid, createProxy, { isCoded })).toEqual([])
  expect(await findRawErrors(createProxy, { isCoded })).toEqual([])
  await upstream.close()
})

test('a header is read and replaced, or the argument is refused', async () => {
  const functions = {
    getHeaders: (value: never) => getHeader(value, 'x-user'),
    getName: (value: never) => getHeader(['X-User', 'a'], value),
    setHeaders: (value: never) => setHeader(value, 'x-user', 'a'),
    setName: (value: never) => setHeader(['X-User', 'a'], value, 'a'),
  }
  for (const [name, call] of Object.entries(functions)) {
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
})
