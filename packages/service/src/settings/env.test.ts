import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@repo/testing'
import { z } from 'zod'
import { describeSettings, parseEnv, sharedSettings } from './env.ts'
import { redisSettings } from './redis-settings.ts'
import { baseSettings, databaseSettings, origins, secret, sourceSettings } from './settings.ts'

const shape = {
  ...baseSettings,
  SECRET: secret('signs things'),
  URLS: origins().meta({ description: 'where things are', shared: true }),
}

const good = {
  PORT: '4101',
  INSTANCE_ID: 'auth-1',
  REDIS_URL: 'redis://localhost:6379',
  ORIGIN: 'http://localhost:8080/',
  SECRET: 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-',
  URLS: 'http://a:1, http://b:2/',
}

function faultsOf(source: Record<string, string | undefined>): string[] {
  const result = parseEnv(shape, source)
  return result.outcome === 'invalid' ? result.faults : []
}

function fileOf(content: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'threefold-env-')), 'secret')
  writeFileSync(file, content)
  return file
}

test('valid settings are read, and missing ones get their defaults', () => {
  expect(parseEnv(shape, good)).toMatchObject({
    outcome: 'valid',
    env: {
      PORT: 4101,
      HOST: '0.0.0.0',
      NODE_ENV: 'development',
      LOG_LEVEL: 'info',
      DRAIN_MS: 2_000,
      ORIGIN: 'http://localhost:8080',
      URLS: ['http://a:1', 'http://b:2'],
    },
  })
})

test('all faults are named at once, and each setting once', () => {
  const faults = faultsOf({
    PORT: '70000',
    DRAIN_MS: 'soon',
    URLS: 'ftp://a,nonsense',
    SECRET: 'x',
  })
  const names = ['DRAIN_MS', 'ORIGIN', 'PORT', 'REDIS_URL', 'SECRET', 'URLS']
  expect(faults).toHaveLength(names.length)
  expect(new Set(faults.map((fault) => fault.split(':')[0]))).toEqual(new Set(names))
  expect(faults).toContain('REDIS_URL: is not set')
  expect(faults).toContain('ORIGIN: is not set')
})

test('a fault never contains the value of a setting', () => {
  const values = {
    NODE_ENV: 'hunter1',
    PORT: 'hunter2',
    INSTANCE_ID: 'hunter 3',
    INSTANCE_URL: 'hunter4',
    LOG_LEVEL: 'hunter5',
    REDIS_URL: 'http://user:hunter6@host',
    ORIGIN: 'hunter7',
    DRAIN_MS: 'hunter8',
    SECRET: 'hunter9',
    URLS: 'http://ok,hunter10',
  }
  const faults = faultsOf(values)
  expect(faults).toHaveLength(Object.keys(values).length)
  expect(faults.join('\n')).not.toContain('hunter')
})

test('a store or an address that cannot be used is refused by name, and every fault is listed', () => {
  const faults = faultsOf({
    ...good,
    PORT: '99999',
    REDIS_URL: 'redis://user:hunter2@host:99999',
    REDIS_SENTINELS: 'a:26379,,[::1]:0',
    INSTANCE_URL: 'redis://host',
    ORIGIN: 'http://localhost:0',
    URLS: 'http://a/path,http://user@b,c',
  })
  expect(
    faults.map((fault) => fault.split(':', 1)[0] ?? '').toSorted((a, b) => a.localeCompare(b)),
  ).toEqual(['INSTANCE_URL', 'ORIGIN', 'PORT', 'REDIS_SENTINELS', 'REDIS_URL', 'URLS'])
  expect(faults.join()).toContain('entry 2 is empty, entry 3 has a port')
  expect(faults.join()).not.toContain('hunter2')
})

test('white space around a value and repeated entries are removed', () => {
  const source = {
    ...good,
    PORT: ' 4101 ',
    ORIGIN: ' http://localhost:8080 ',
    REDIS_URL: ' redis://[::1]:6379/1\n',
    REDIS_SENTINELS: '[::1]:26379, b ,b',
    URLS: 'http://a:1,http://a:1/',
  }
  expect(parseEnv(shape, source)).toMatchObject({
    outcome: 'valid',
    env: {
      PORT: 4101,
      REDIS_URL: 'redis://[::1]:6379/1',
      REDIS_SENTINELS: ['[::1]:26379', 'b'],
      URLS: ['http://a:1'],
    },
  })
})

test('a database number together with a cluster is a fault', () => {
  const redis = { REDIS_URL: 'redis://a/1', REDIS_CLUSTER_NODES: 'b:6379' }
  expect(faultsOf({ ...good, ...redis })).toEqual([
    'REDIS_CLUSTER_NODES: a cluster has only database 0, and REDIS_URL names another one',
  ])
})

test('a cluster together with sentinels is a fault', () => {
  const redis = { REDIS_SENTINELS: 'a:26379', REDIS_CLUSTER_NODES: 'b:6379, c' }
  expect(faultsOf({ ...good, ...redis })).toEqual([
    'REDIS_CLUSTER_NODES: cannot be beside REDIS_SENTINELS',
  ])
  expect(faultsOf({ ...good, ...redis, REDIS_SENTINELS: '' })).toEqual([])
})

test('an empty variable is treated as missing', () => {
  expect(faultsOf({ ...good, SECRET: '' })).toEqual(['SECRET: is not set'])
  expect(parseEnv(shape, { ...good, DRAIN_MS: '' })).toMatchObject({ env: { DRAIN_MS: 2_000 } })
})

test('a secret is read from the file that NAME_FILE names, without its last line break', () => {
  const SECRET_FILE = fileOf(`${good.SECRET}\n`)
  const result = parseEnv(shape, { ...good, SECRET: undefined, SECRET_FILE })
  expect(result).toMatchObject({ env: { SECRET: good.SECRET } })
})

test('a secret file that is missing or empty is a fault that names no path', () => {
  const missing = faultsOf({ ...good, SECRET: undefined, SECRET_FILE: '/no/such/file' })
  expect(missing).toEqual(['SECRET: SECRET_FILE names a file that cannot be read'])
  const empty = faultsOf({ ...good, SECRET: undefined, SECRET_FILE: fileOf('\n') })
  expect(empty).toEqual(['SECRET: is not set'])
})

test('only secrets come from files', () => {
  const ORIGIN_FILE = fileOf('http://elsewhere')
  expect(parseEnv(shape, { ...good, ORIGIN_FILE })).toMatchObject({
    env: { ORIGIN: 'http://localhost:8080' },
  })
})

test.for(['change-me-'.repeat(5), 'a'.repeat(40), 'your_secret_goes_here_for_sure_1234'])(
  'the placeholder %s is refused in production only',
  (placeholder) => {
    const settings = { ...good, SECRET: placeholder }
    expect(parseEnv(shape, { ...settings, NODE_ENV: 'development' }).outcome).toBe('valid')
    const faults = faultsOf({ ...settings, NODE_ENV: 'production' })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^SECRET: is a placeholder/)
    expect(faults[0]).not.toContain(placeholder)
  },
)

test('a secret of random bytes is no placeholder', () => {
  expect(faultsOf({ ...good, NODE_ENV: 'production' })).toEqual([])
})

test('sharedSettings returns only the settings that must be equal on all instances', () => {
  const names = ['NODE_ENV', ...Object.keys(redisSettings), 'ORIGIN', 'SECRET', 'URLS']
  expect(Object.keys(sharedSettings(shape, good))).toEqual(names)
})

test('sharedSettings returns the same text for two spellings of one value', () => {
  const one = sharedSettings(shape, { ...good, NODE_ENV: 'development' })
  expect(sharedSettings(shape, { ...good, ORIGIN: 'http://localhost:8080' })).toEqual(one)
  expect(sharedSettings(shape, { ...good, SECRET_FILE: fileOf(good.SECRET) })).toEqual(one)
  expect(sharedSettings(shape, { ...good, URLS: 'http://a:1' })).not.toEqual(one)
})

test('describeSettings returns the description of each setting, and if it is required, shared and secret', () => {
  const described = new Map(
    describeSettings({ ...shape, ...databaseSettings }).map((setting) => [setting.name, setting]),
  )
  expect(described.get('SECRET')).toEqual({
    name: 'SECRET',
    description: 'signs things',
    required: true,
    shared: true,
    secret: true,
    example: '',
  })
  expect(described.get('DRAIN_MS')).toMatchObject({ required: false, example: '2000' })
  expect(described.get('INSTANCE_URL')).toMatchObject({ required: false })
  expect(described.get('DATABASE_URL')).toMatchObject({ required: true, secret: true })
  expect([...described.values()].filter(({ description }) => description === '')).toEqual([])
})

test('describeSettings has no example that contains the name of this machine', () => {
  const byName = describeSettings({ INSTANCE_ID: baseSettings.INSTANCE_ID, A: z.string() })
  expect(byName[0]).not.toHaveProperty('example', expect.any(String))
})

test('TRUSTED_ORIGINS is a list of origins', () => {
  const source = { TRUSTED_ORIGINS: 'https://admin.example, http://localhost:3000/' }
  expect(parseEnv(sourceSettings, source)).toEqual({
    outcome: 'valid',
    env: { TRUSTED_ORIGINS: ['https://admin.example', 'http://localhost:3000/'] },
  })
  expect(parseEnv(sourceSettings, {}).outcome).toBe('valid')
})

test.for([
  'admin.example',
  '*',
  'https://*.example',
  'https://a.example,',
  'https://a.example/path',
  'https://a.example?x',
  'https://user@a.example',
  'null',
  'file:///x',
  'javascript:alert(1)',
])('TRUSTED_ORIGINS is refused with the value %s', (value) => {
  expect(parseEnv(sourceSettings, { TRUSTED_ORIGINS: value }).outcome).toBe('invalid')
})
