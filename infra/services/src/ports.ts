import type { Service } from './service.ts'

export const FIRST_NUMBER = 1
export const LAST_NUMBER = 20
/** Numbers of services that do not exist yet: 5 is the worker of background jobs. */
export const RESERVED_NUMBERS: readonly number[] = [5]

type Numbered = Pick<Service, 'number'>

/** The port on which an instance listens in its container: 3001 for number 1. */
export function containerPort({ number }: Numbered): number {
  return 3_000 + number
}

/** The port of the edge that leads to the service inside the containers' network: 8101 for number 1. */
export function edgePort({ number }: Numbered): number {
  return 8_001 + 100 * number
}

/** The distance from `--ports` (4000): the first instance of number 1 listens on 4101. */
export function localOffset({ number }: Numbered): number {
  return 100 * number
}

/** The ports of this machine that lead to instances in containers: 4101-4110, the second colour 4111-4120. */
export function publishedPorts({ number }: Numbered, color: 'blue' | 'green' = 'blue'): string {
  return portRange(4_000 + 100 * number + (color === 'blue' ? 1 : 11))
}

/** Ten ports from the first, as Docker writes them. */
export function portRange(first: number): string {
  return `${first}-${first + 9}`
}
