import { pathRules } from '@repo/proxy'
import { containerPort, edgePort } from '../ports.ts'
import { READINESS_PATH, type Service } from '../service.ts'
import type { GeneratedFile } from './generated-file.ts'
import { pathProblems, problemOf, UNUSUAL } from './path-rules.ts'

const INSTANCES = 10
const SAFE_METHODS = 'GET HEAD OPTIONS PUT DELETE'

/** The internal ports and the backends of the edge. */
export function haproxyFile(services: readonly Service[]): GeneratedFile {
  const called = services.filter(({ role }) => role !== 'web')
  const web = services.filter(({ role }) => role === 'web')
  return {
    path: 'infra/edge/haproxy.cfg',
    content: {
      'path-rules': pathRefusals(),
      api: apiPaths(services),
      frontends: called.map(internalFrontend).join('\n'),
      blue: services.map((service) => backend(service, 'blue')).join('\n'),
      any: services.map((service) => backend(service, 'any')).join('\n'),
      static: web.map(staticServers).join(''),
      green: services.map((service) => backend(service, 'green')).join('\n'),
    },
  }
}

function refusal(problem: string, condition: string): string {
  return `  http-request return status 400 content-type application/problem+json string '${problem}' hdr Cache-Control no-store if ${condition}\n`
}

/** Refuses the paths that the gateway and the embedded edge refuse. */
function pathRefusals(): string {
  return [
    // The target of a request over HTTP/2 has no such form.
    refusal(problemOf(pathRules.absolute), '{ req.ver 1.0 1.1 } !{ url_beg / }'),
    `  acl unusual_path path_reg '${UNUSUAL}'\n`,
    ...pathProblems().map(({ pattern, problem }) =>
      refusal(problem, `unusual_path { path_reg '${pattern}' }`),
    ),
  ].join('')
}

function apiPaths(services: readonly Service[]): string {
  const paths = services.filter(({ role }) => role === 'gateway').flatMap((each) => each.paths)
  const below = paths.map((path) => `${path}/`)
  return `  acl api path_beg ${below.join(' ')}\n  acl api path ${paths.join(' ')}\n`
}

function internalFrontend(service: Service): string {
  const { name, role } = service
  // Pages do not send the color that was chosen for them, so it is chosen again.
  const choice =
    role === 'gateway'
      ? [
          '  http-request set-var(txn.green) str(green),map_str_int(opt@/var/lib/haproxy/release.map,0)',
          '  http-request set-header X-Release green if { rand(100),sub(txn.green) lt 0 }',
        ]
      : []
  return [
    `frontend internal-${name} from common`,
    `  bind :${edgePort(service)}`,
    `  monitor-uri ${READINESS_PATH}`,
    `  monitor fail if { nbsrv(${name}-blue) lt 1 }`,
    ...choice,
    `  use_backend ${name}-green if { req.hdr(x-release) green } { nbsrv(${name}-green) gt 0 }`,
    `  use_backend ${name}-any if { nbsrv(${name}-blue) lt 1 }`,
    `  default_backend ${name}-blue`,
    '',
  ].join('\n')
}

function backend(service: Service, kind: 'blue' | 'any' | 'green'): string {
  const { name } = service
  const host = kind === 'green' ? `${name}-green` : name
  const check = kind === 'any' ? ' no-check init-state up' : ''
  return [
    `backend ${name}-${kind} from service`,
    `  http-request disable-l7-retry unless { method ${SAFE_METHODS} }`,
    `  server-template ${name}- ${INSTANCES} ${host}:${containerPort(service)}${check}`,
    '',
  ].join('\n')
}

function staticServers(service: Service): string {
  const address = (host: string) => `${host}:${containerPort(service)}`
  return [
    `  server-template blue- ${INSTANCES} ${address(service.name)}`,
    `  server-template green- ${INSTANCES} ${address(`${service.name}-green`)}`,
    '',
  ].join('\n')
}
