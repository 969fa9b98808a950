import { type Service, services as all } from '@repo/services'
import { describe, expect, test } from 'vitest'
import { renderCompose } from './compose.fixture.ts'

const list: readonly Service[] = all

const compose = renderCompose({ COMPOSE_PROJECT_NAME: 'threefold-test' })
const services = Object.entries(compose.services)
const names = services.map(([name]) => name)
const apps = list.map(({ name }) => name)
const withDatabase = list.filter(({ usesDatabase }) => usesDatabase).map(({ name }) => name)

/** The services on a network, in alphabetical order. */
const membersOf = (network: string) =>
  services
    .filter(([, { networks }]) => networks.includes(network))
    .map(([name]) => name)
    .toSorted()

describe('each service of the compose file', () => {
  test.each(names)('%s has bounded logs', (name) => {
    const { driver, options } = compose.services[name]?.logging ?? { driver: '', options: {} }
    expect(driver).toBe('json-file')
    expect(options['max-size']).toMatch(/^\d+m$/)
    expect(Number(options['max-file'])).toBeGreaterThan(0)
  })

  test.each(names)('%s has limits of memory, processors and processes', (name) => {
    const service = compose.services[name]
    expect(service?.mem_limit).toBeGreaterThanOrEqual(128 * 2 ** 20)
    expect(service?.cpus).toBeGreaterThan(0)
    expect(service?.pids_limit).toBeGreaterThan(0)
  })

  test.each(names)(
    '%s has no capabilities, a read-only root and no way to new privileges',
    (name) => {
      const service = compose.services[name]
      expect(service).toMatchObject({ cap_drop: ['ALL'], cap_add: [], read_only: true })
      expect(service).toMatchObject({ privileged: false })
      expect(service?.security_opt).toContain('no-new-privileges:true')
    },
  )

  test.each(names)('%s publishes its ports on the loopback address only', (name) => {
    for (const { hostIp } of compose.services[name]?.ports ?? []) expect(hostIp).toBe('127.0.0.1')
  })

  test.each(names)('%s starts again after a crash, unless it is a job', (name) => {
    expect(compose.services[name]?.restart).toBe(name === 'migrate' ? 'no' : 'unless-stopped')
  })
})

test('the heap of Node.js fits into half of the memory limit', () => {
  const limits = [...apps, 'migrate'].map((name) => {
    const service = compose.services[name]
    const heap = /--max-old-space-size=(\d+)/.exec(service?.environment['NODE_OPTIONS'] ?? '')?.[1]
    return { heap: Number(heap) * 2 ** 20, half: (service?.mem_limit ?? 0) / 2 }
  })
  for (const { heap, half } of limits) {
    expect(heap).toBeGreaterThan(0)
    expect(heap).toBeLessThanOrEqual(half)
  }
})

describe('the networks', () => {
  test('only PgBouncer and the migration reach PostgreSQL', () => {
    expect(membersOf('database')).toEqual(['migrate', 'pgbouncer', 'postgres'])
  })

  test('the edge reaches the apps and no store', () => {
    expect(membersOf('edge')).toEqual([...apps, 'edge'].toSorted())
    expect(compose.services['edge']?.networks).toEqual(['edge'])
  })

  test('web reaches no part of the database', () => {
    expect(membersOf('pool')).toEqual([...withDatabase, 'pgbouncer'].toSorted())
    expect(membersOf('pool')).not.toContain('web')
    expect(membersOf('cache')).toEqual([...apps, 'valkey-state'].toSorted())
  })

  test('those of the stores have no way out, and no service is on the default network', () => {
    for (const name of ['cache', 'pool', 'database']) {
      expect(compose.networks[name]?.internal).toBe(true)
    }
    expect(membersOf('default')).toEqual([])
  })
})

test('demo accounts are off by default, and the migration is given the address of the edge', () => {
  expect(compose.services['migrate']?.environment).toMatchObject({
    DEMO: 'false',
    EDGE_ADDRESS: '127.0.0.1',
  })
})

test('EDGE_ADDRESS is the address of the edge', () => {
  const open = renderCompose({ COMPOSE_PROJECT_NAME: 'x', EDGE_ADDRESS: '0.0.0.0' })
  expect(open.services['edge']?.ports.map(({ hostIp }) => hostIp)).toEqual(['0.0.0.0'])
})

test('without a project name nothing starts, and the message names the command', () => {
  expect(() => renderCompose()).toThrow('run infra/compose/secrets.sh first')
})

test.for([
  ['auth_secret', ['auth', 'gateway']],
  ['trace_secret', ['gateway', 'web']],
] as const)(
  'a new version of %s is another file and changes the services that read it',
  ([secret, readers]) => {
    const version = { [`${secret.toUpperCase()}_VERSION`]: '2' }
    const next = renderCompose({ COMPOSE_PROJECT_NAME: 'threefold-test', ...version })
    expect(compose.secrets[secret]?.file).toMatch(new RegExp(`/${secret}$`))
    expect(next.secrets[secret]?.file).toMatch(new RegExp(`/${secret}\\.2$`))
    const changed = names.filter((name) => {
      const labelOf = (config: typeof compose) => config.services[name]?.labels['threefold.secrets']
      return labelOf(next) !== labelOf(compose)
    })
    expect(changed.toSorted()).toEqual(readers)
  },
)
