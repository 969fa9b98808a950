import { type Endpoint, endpoints, gatewayEndpoints } from '@repo/api/endpoints'
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

/** The table of all routes in docs/routes.md: the endpoints, and the prefixes of the services. */
export function routesFile(services: readonly Service[]): GeneratedFile {
  const domain = services.filter(({ role }) => role === 'domain')
  const ofGateway = new Set<Endpoint>(gatewayEndpoints)
  const rows = endpoints.flatMap((endpoint) => {
    if (ofGateway.has(endpoint)) return endpointRow(endpoint, 'gateway')
    const service = domain.find(({ paths }) => paths.some((path) => isUnder(path, endpoint.path)))
    return service ? endpointRow(endpoint, service.name) : []
  })
  const defaults = domain.flatMap(({ name, access, paths }) =>
    paths.map((path) => `| others | \`${path}/*\` | \`${name}\` | ${access} | |\n`),
  )
  const table = `\n${ROUTES_HEADER}${[...rows, ...defaults].join('')}\n`
  return { path: 'docs/routes.md', content: { routes: table } }
}

function isUnder(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`)
}

const ROUTES_HEADER = `| method | path | served by | callers | |
| --- | --- | --- | --- | --- |
`

function endpointRow(endpoint: Endpoint, service: string): string {
  const { method, path, auth, summary } = endpoint
  return `| ${method} | \`${path}\` | \`${service}\` | ${auth} | ${summary}${keysOf(endpoint)} |\n`
}

/** How often the work of a request with an idempotency key runs. */
function keysOf({ idempotency, exactlyOnce }: Endpoint): string {
  if (!idempotency) return ''
  return `, ${exactlyOnce ? 'exactly ' : ''}once for each \`Idempotency-Key\` (${idempotency})`
}
