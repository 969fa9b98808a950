import { portRange } from '../ports.ts'
import type { Service } from '../service.ts'
import type { GeneratedFile } from './generated-file.ts'

/** The names of the services and ports of this machine in the scripts that run the stack in containers. */
export function scriptFiles(services: readonly Service[]): GeneratedFile[] {
  return [
    { path: 'infra/compose/ci.sh', content: { services: lines(services, 100, 7_001) } },
    { path: 'infra/compose/bad-input.sh', content: { services: lines(services, 10, 7_501) } },
  ]
}

function lines(services: readonly Service[], step: number, base: number): string {
  const ports = services.map(
    ({ name, number }) => `${name.toUpperCase()}_PORTS=${portRange(base + step * number)}`,
  )
  return `apps=(${services.map(({ name }) => name).join(' ')})\nexport ${ports.join(' ')}\n`
}
