import { containerPort, edgePort } from '../ports.ts'
import { READINESS_PATH, type Service } from '../service.ts'
import type { GeneratedFile } from './generated-file.ts'

/** The upstreams and the internal ports of nginx. */
export function nginxFile(services: readonly Service[]): GeneratedFile {
  const called = services.filter(({ role }) => role !== 'web')
  return {
    path: 'infra/edge/nginx.conf',
    content: {
      upstreams: services.map(upstream).join(''),
      servers: called.map(server).join(''),
    },
  }
}

function upstream(service: Service): string {
  const { name } = service
  const address = `${name}:${containerPort(service)}`
  return `  upstream ${name} { zone ${name} 64k; least_conn; server ${address} resolve max_fails=1 fail_timeout=1s; keepalive 32; }\n`
}

function server(service: Service): string {
  return `  server { listen ${edgePort(service)}; location = ${READINESS_PATH} { return 200; } location / { proxy_pass http://${service.name}; } }\n`
}
