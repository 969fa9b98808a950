import { serverEnvironment } from '@repo/embedded'
import { afterEach, expect, test, vi } from 'vitest'
import { parseOptions } from '../terminal/options.ts'
import { hasDemoData, sharedEnvironment } from './environment.ts'
import { planInstances } from './topology.ts'

afterEach(() => vi.unstubAllEnvs())

function options(...args: string[]) {
  const parsed = parseOptions(args)
  if (parsed.outcome !== 'run') throw new Error('the options are invalid')
  return parsed.options
}

const embedded = { databaseUrl: 'postgres://a', redisUrl: 'redis://a', isDatabaseEmbedded: true }
const external = { ...embedded, isDatabaseEmbedded: false }

function environment(stores = embedded, ...args: string[]) {
  const chosen = options(...args)
  return sharedEnvironment(chosen, planInstances(chosen), stores, {})
}

test.for([
  { args: [], stores: embedded, demo: true },
  { args: [], stores: external, demo: false },
  { args: ['--seed-demo'], stores: external, demo: true },
])(
  'demo accounts are made in the embedded database, or with --seed-demo: $args $stores.isDatabaseEmbedded',
  ({ args, stores, demo }) => {
    expect(hasDemoData(options(...args), stores)).toBe(demo)
    expect(environment(stores, ...args)['DEMO']).toBe(String(demo))
  },
)

test('an inherited DEMO=true makes no demo accounts in a database that DATABASE_URL names', () => {
  vi.stubEnv('DEMO', 'true')
  expect(environment(external)['DEMO']).toBe('false')
  vi.stubEnv('DEMO', 'false')
  expect(environment(embedded)['DEMO']).toBe('false')
})

test('inherited settings of another cluster do not change where the instances reach each other', () => {
  for (const name of ['EDGE_PORT', 'API_URL', 'AUTH_URLS', 'GATEWAY_URLS', 'WEB_URLS', 'HOST']) {
    vi.stubEnv(name, 'http://elsewhere.example.com')
  }
  expect(Object.values(environment()).filter((value) => value.includes('elsewhere'))).toEqual([])
})

test('the instances reach each other without the proxy of the caller', () => {
  vi.stubEnv('NO_PROXY', 'example.com')
  vi.stubEnv('HTTPS_PROXY', 'http://proxy.example.com')
  expect(environment()).toMatchObject({
    NO_PROXY: 'example.com,localhost,127.0.0.1,::1',
    HTTPS_PROXY: 'http://proxy.example.com',
  })
})

test('PG* settings of the caller reach neither the embedded server nor its clients; those of an external one do', () => {
  vi.stubEnv('PGSSLMODE', 'require')
  vi.stubEnv('PGOPTIONS', '-c search_path=other')
  expect(serverEnvironment()).not.toHaveProperty('PGOPTIONS')
  expect(environment(embedded)).not.toHaveProperty('PGSSLMODE')
  expect(environment(external)).toHaveProperty('PGSSLMODE', 'require')
})
