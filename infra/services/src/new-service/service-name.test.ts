import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Service } from '../service.ts'
import { services } from '../services.ts'
import { checkName, freeNumber } from './service-name.ts'

const ROOT = join(import.meta.dirname, '../../../..')

function run(...args: string[]) {
  const program = join(ROOT, 'infra/services/src/new.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test.for(['', 'Orders', '1st', 'my-orders', 'my_orders', '../orders', 'o', 'o'.repeat(16), 'café'])(
  'a service cannot have the name "%s", and the error states the valid form',
  (name) => {
    expect(() => checkName(name, services, ROOT)).toThrow(
      `"${name}" cannot be the name of a service: use 2 to 15 lowercase letters and digits`,
    )
  },
)

test.for(['me', 'sessions', 'edge', 'postgres', 'migrate', 'worker'])(
  'a service cannot have the reserved name "%s"',
  (name) => {
    expect(() => checkName(name, services, ROOT)).toThrow(`the name "${name}" is reserved`)
  },
)

test('a service cannot have the name of a path that the gateway or each instance serves', () => {
  const files = ['apps/gateway/src/app.ts', 'packages/service/src/http/ops.ts']
  const texts = files.map((file) => readFileSync(join(ROOT, file), 'utf8'))
  const names = texts.map((text) =>
    [...text.matchAll(/'\/api\/(\w+)'/g)].map(([, name = '']) => name),
  )
  expect(names).toEqual([expect.arrayContaining(['me', 'sessions']), ['health']])
  for (const name of names.flat()) {
    expect(() => checkName(name, [], ROOT)).toThrow(`the name "${name}" is reserved`)
  }
})

test('a service cannot have the name of another service, or of files that exist', () => {
  expect(() => checkName('payments', services, ROOT)).toThrow(
    'the name "payments" is taken by a service in infra/services/src/services.ts',
  )
  expect(() => checkName('payments', [], ROOT)).toThrow(
    'the name "payments" is taken by apps/payments/package.json',
  )
  expect(() => checkName('outbox', services, ROOT)).toThrow(
    'the name "outbox" is taken by packages/database/src/schema/outbox.ts',
  )
  expect(checkName('shipments', services, ROOT)).toBe(undefined)
})

const numbered = (number: number): Service => ({ ...services[0], number })

test('a new service has the lowest number that no service has and that is not reserved', () => {
  expect(freeNumber([1, 2, 3, 4].map(numbered))).toBe(6)
  expect(freeNumber([1, 2, 4].map(numbered))).toBe(3)
  const all = Array.from({ length: 20 }, (_, index) => numbered(index + 1))
  expect(() => freeNumber(all)).toThrow('no port is free: the numbers 1 to 20 are all used')
})

test('`pnpm new` without a valid name writes nothing, and exits with 1 or 2 and one reason', () => {
  expect(run('service', 'payments')).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^fault: the name "payments" is taken .*\n$/),
  })
  expect(run('service')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^give one name/),
  })
  expect(run('package', 'orders').stderr).toMatch(/^the first argument must be "service"/)
  expect(run('service', 'orders', '--fast').stderr).toMatch(/^Unknown option '--fast'/)
  const help = run('--help')
  expect(help).toMatchObject({ status: 0, stderr: '' })
  expect(help.stdout).toMatch(/^Usage: pnpm new service NAME/)
})
