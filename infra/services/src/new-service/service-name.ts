import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FIRST_NUMBER, LAST_NUMBER, RESERVED_NUMBERS } from '../ports.ts'
import type { Service } from '../service.ts'

/** The first words of paths below /api that the gateway and each instance serve themselves. */
const GATEWAY_PATHS = [
  'cluster',
  'docs',
  'health',
  'keys',
  'limits',
  'me',
  'observability',
  'openapi',
  'sessions',
  'settings',
]
/** Other services of the compose files, and names that the deploy scripts use. */
const INFRASTRUCTURE = ['edge', 'launcher', 'migrate', 'pgbouncer', 'postgres', 'valkey', 'worker']
/** Names that the packages export already. */
const EXPORTED = ['api', 'database', 'schema', 'service']

const NAME = /^[a-z][a-z0-9]{1,14}$/

/** A service cannot be created. The message states the reason and what to do. */
export class NewServiceError extends Error {
  override name = 'NewServiceError'
}

/** @throws NewServiceError when no service can have the name */
export function checkName(name: string, services: readonly Service[], root: string): void {
  if (!NAME.test(name)) {
    throw new NewServiceError(
      `"${name}" cannot be the name of a service: use 2 to 15 lowercase letters and digits, beginning with a letter, such as "orders"`,
    )
  }
  if ([...GATEWAY_PATHS, ...INFRASTRUCTURE, ...EXPORTED].includes(name)) {
    throw new NewServiceError(
      `the name "${name}" is reserved for a part of the system: choose another name`,
    )
  }
  const taken = services.find((service) => service.name === name)
  if (taken) {
    throw new NewServiceError(
      `the name "${name}" is taken by a service in infra/services/src/services.ts: choose another name`,
    )
  }
  for (const path of [
    `apps/${name}/package.json`,
    `packages/database/src/schema/${name}.ts`,
    `packages/api/src/endpoints/${name}.ts`,
    `packages/api/src/requests/${name}.ts`,
    `packages/api/src/responses/${name}.ts`,
  ]) {
    if (existsSync(join(root, path))) {
      throw new NewServiceError(
        `the name "${name}" is taken by ${path}: choose another name, or remove it`,
      )
    }
  }
}

/**
 * The lowest number whose ports no service has.
 *
 * @throws NewServiceError when every number is used
 */
export function freeNumber(services: readonly Service[]): number {
  const used = new Set([...services.map(({ number }) => number), ...RESERVED_NUMBERS])
  for (let number = FIRST_NUMBER; number <= LAST_NUMBER; number += 1) {
    if (!used.has(number)) return number
  }
  throw new NewServiceError(
    `no port is free: the numbers ${FIRST_NUMBER} to ${LAST_NUMBER} are all used in infra/services/src/services.ts; remove a service, or raise LAST_NUMBER in infra/services/src/ports.ts`,
  )
}
