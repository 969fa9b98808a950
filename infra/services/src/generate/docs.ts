import { containerPort, edgePort, publishedPorts } from '../ports.ts'
import type { Service } from '../service.ts'
import type { GeneratedFile } from './generated-file.ts'

/** The table of services in docs/architecture.md. */
export function docsFile(services: readonly Service[]): GeneratedFile {
  const header = `| service | purpose | paths | instances | in containers |
| --- | --- | --- | --- | --- |
`
  return {
    path: 'docs/architecture.md',
    content: { services: `\n${header}${services.map(row).join('')}\n` },
  }
}

function row(service: Service): string {
  const { name, description, role } = service
  const paths =
    role === 'web' ? 'all others' : service.paths.map((path) => `\`${path}\``).join(', ')
  const inside = role === 'web' ? '' : `, \`edge:${edgePort(service)}\``
  return `| \`${name}\` | ${description} | ${paths} | ${publishedPorts(service)} | \`${name}:${containerPort(service)}\`${inside} |\n`
}
