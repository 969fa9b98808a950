import { expect, test } from 'vitest'
import { startOrder, stopOrder } from './orders.ts'
import {
  containerPort,
  edgePort,
  FIRST_NUMBER,
  LAST_NUMBER,
  localOffset,
  RESERVED_NUMBERS,
} from './ports.ts'
import type { Service } from './service.ts'
import { services } from './services.ts'

const list: readonly Service[] = services

test('no two services have the same name, number or path, and no service has a reserved number', () => {
  for (const values of [list.map(({ name }) => name), list.map(({ number }) => number)]) {
    expect(new Set<unknown>(values).size).toBe(list.length)
  }
  const paths = list.filter(({ role }) => role === 'domain').flatMap((service) => service.paths)
  expect(new Set(paths).size).toBe(paths.length)
  for (const { number } of list) {
    expect(number).toBeGreaterThanOrEqual(FIRST_NUMBER)
    expect(number).toBeLessThanOrEqual(LAST_NUMBER)
    expect(RESERVED_NUMBERS).not.toContain(number)
  }
})

test('no port of one number is a port of another number', () => {
  const ports = Array.from({ length: LAST_NUMBER }, (_, index) => {
    const service = { number: index + 1 }
    const local = Array.from({ length: 20 }, (__, n) => 4_000 + localOffset(service) + n + 1)
    return [containerPort(service), edgePort(service), ...local]
  }).flat()
  expect(new Set(ports).size).toBe(ports.length)
  // The edge, its port for TLS, and its metrics.
  for (const port of [8080, 8443, 8404]) expect(ports).not.toContain(port)
})

test('a service starts after the services that it calls, and stops before them', () => {
  expect(startOrder.slice(-2)).toEqual(['gateway', 'web'])
  expect(stopOrder.slice(0, 2)).toEqual(['web', 'gateway'])
  expect(startOrder.toSorted()).toEqual(stopOrder.toSorted())
})
