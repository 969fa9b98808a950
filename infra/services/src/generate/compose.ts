import { containerPort, edgePort, publishedPorts } from '../ports.ts'
import type { Service } from '../service.ts'
import type { GeneratedFile } from './generated-file.ts'

/** The instances of each service, unless a setting has another number. */
export const REPLICAS = 3

/** Names of variables that differ from the name of the secret. */
const VARIABLES: Readonly<Record<string, string>> = {
  server_actions_key: 'NEXT_SERVER_ACTIONS_ENCRYPTION_KEY',
}

/** The compose file and its overlays. */
export function composeFiles(
  services: readonly Service[],
  packagesOf: (service: Service) => readonly string[],
): GeneratedFile[] {
  const greens = services.map(({ name }) => `          - ${name}-green\n`).join('')
  const instances = REPLICAS * (services.filter(({ usesDatabase }) => usesDatabase).length + 1)
  return [
    file('compose', {
      instances: `  DATABASE_INSTANCES: ${instances}\n`,
      aliases: `        aliases:\n${greens}`,
      services: joined(services, (service) => composeService(service, services)),
    }),
    file('compose.blue-green', { services: joined(services, greenService) }),
    file('compose.dev', {
      services: joined(
        services.filter(({ role }) => role !== 'web'),
        (service) => devService(service, packagesOf(service)),
      ),
    }),
    file('compose.tls', {
      origins: services.map(({ name }) => `  ${name}: *origin\n`).join(''),
    }),
    file('compose.observability', {
      telemetry: services.map(({ name }) => `  ${name}: *telemetry\n`).join(''),
    }),
    file('compose.nginx', {
      depends: services
        .map(({ name }) => `      ${name}: { condition: service_healthy }\n`)
        .join(''),
    }),
  ]
}

function file(name: string, content: Record<string, string>): GeneratedFile {
  return { path: `infra/compose/${name}.yaml`, content }
}

function joined(services: readonly Service[], render: (service: Service) => string): string {
  return services.map(render).join('\n')
}

function composeService(service: Service, services: readonly Service[]): string {
  const { name, usesDatabase, memory } = service
  const upper = name.toUpperCase()
  const secrets = ['redis_url', ...(usesDatabase ? ['database_url'] : []), ...service.secrets]
  const versions = secrets.map((each) => `${each} \${${each.toUpperCase()}_VERSION:-1}`)
  const anchors = ['*environment', ...(usesDatabase ? ['*database'] : []), ...settingsOf(service)]
  const environment = {
    ...(memory && {
      NODE_OPTIONS: `--max-old-space-size=\${${upper}_HEAP_MB:-${memory.heapMiB}}`,
    }),
    PORT: containerPort(service),
    ...Object.fromEntries(service.secrets.map(secretFile)),
    ...upstreams(service, services),
  }
  return [
    `  ${name}:`,
    `    <<: *app`,
    `    image: threefold/${name}:\${${upper}_TAG:-\${TAG:-latest}}`,
    `    build:`,
    `      <<: *build`,
    `      args: { APP: ${name}, VERSION: '\${${upper}_TAG:-\${TAG:-latest}}' }`,
    ...(memory ? [`    mem_limit: \${${upper}_MEMORY:-${memory.limitMiB}m}`] : []),
    `    environment:`,
    `      <<: [${anchors.join(', ')}]`,
    ...Object.entries(environment).map(([variable, value]) => `      ${variable}: ${value}`),
    `    secrets:`,
    ...secrets.map((each) => `      - ${each}`),
    `    labels:`,
    `      threefold.secrets: '${versions.join(', ')}'`,
    `    networks: [${['edge', 'cache', ...(usesDatabase ? ['pool'] : [])].join(', ')}]`,
    `    ports: ['127.0.0.1:\${${upper}_PORTS:-${publishedPorts(service)}}:${containerPort(service)}']`,
    `    depends_on: ${usesDatabase ? '*after-stores' : '*after-valkey'}`,
    '',
  ].join('\n')
}

/** The gateway and web read more settings, which compose.yaml lists above the services. */
function settingsOf({ name, role }: Service): string[] {
  return role === 'domain' ? [] : [`*${name}-settings`]
}

function secretFile(secret: string): [variable: string, path: string] {
  return [`${VARIABLES[secret] ?? secret.toUpperCase()}_FILE`, `/run/secrets/${secret}`]
}

/** Each caller reaches the instances of a service through the port that the edge has for it. */
function upstreams({ role }: Service, services: readonly Service[]): Record<string, string> {
  const called = { domain: undefined, gateway: 'domain', web: 'gateway' }[role]
  return Object.fromEntries(
    services
      .filter((each) => each.role === called)
      .map((each) => [
        role === 'web' ? 'API_URL' : `${each.name.toUpperCase()}_URLS`,
        `http://edge:${edgePort(each)}`,
      ]),
  )
}

function greenService(service: Service): string {
  const { name } = service
  const ports = `\${${name.toUpperCase()}_GREEN_PORTS:-${publishedPorts(service, 'green')}}`
  return [
    `  ${name}-green:`,
    `    <<: *green`,
    `    extends: { file: compose.yaml, service: ${name} }`,
    `    image: threefold/${name}:\${GREEN_TAG:-latest}`,
    `    ports: !override ['127.0.0.1:${ports}:${containerPort(service)}']`,
    '',
  ].join('\n')
}

function devService({ name }: Service, packages: readonly string[]): string {
  const folders = [...packages.map((each) => `packages/${each}`), `apps/${name}`]
  return [
    `  ${name}:`,
    `    <<: *dev`,
    `    volumes:`,
    ...folders.map((folder) => `      - ../../${folder}/src:/app/${folder}/src:ro`),
    '',
  ].join('\n')
}
