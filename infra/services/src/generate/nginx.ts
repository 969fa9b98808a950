import { pathRules } from '@repo/proxy'
import { containerPort, edgePort } from '../ports.ts'
import { READINESS_PATH, type Service } from '../service.ts'
import type { GeneratedFile } from './generated-file.ts'
import { pathProblems, problemOf } from './path-rules.ts'

/** The upstreams and the internal ports of nginx. */
export function nginxFile(services: readonly Service[]): GeneratedFile {
  const called = services.filter(({ role }) => role !== 'web')
  return {
    path: 'infra/edge/nginx.conf',
    content: {
      'path-rules': pathFaults(),
      api: apiLocation(services),
      upstreams: services.map(upstream).join(''),
      servers: called.map(server).join(''),
    },
  }
}

function mapLine(pattern: string, problem: string): string {
  return `    '~${pattern}' '${problem}';\n`
}

/** `$path_problem` is the problem document of a path that is refused, and empty for every other. */
function pathFaults(): string {
  return [
    // nginx reads the path of a whole URL, which the gateway and the embedded edge refuse.
    `  map $request $target_problem {\n    default '';\n`,
    mapLine('^[^ ]+ [^/]', problemOf(pathRules.absolute)),
    `  }\n  map $request_uri $path_problem {\n    default $target_problem;\n`,
    ...pathProblems().map(({ pattern, problem }) => mapLine(inPath(pattern), problem)),
    `  }\n`,
  ].join('')
}

/** The pattern within the part of a target before its query. */
function inPath(pattern: string): string {
  return `^[^?]*?(${pattern.replaceAll('$', '(?=[?]|$)').replaceAll('[^', '[^?')})`
}

function apiLocation(services: readonly Service[]): string {
  const paths = services.filter(({ role }) => role === 'gateway').flatMap((each) => each.paths)
  const names = paths.map((path) => path.slice(1).replaceAll('.', '\\.'))
  return `    location ~ ^/(${names.join('|')})(/|$) { set $upgrade $websocket; proxy_pass http://gateway; }\n`
}

function upstream(service: Service): string {
  const { name } = service
  const address = `${name}:${containerPort(service)}`
  return `  upstream ${name} { zone ${name} 64k; least_conn; server ${address} resolve max_fails=1 fail_timeout=1s; keepalive 32; }\n`
}

function server(service: Service): string {
  return `  server { listen ${edgePort(service)}; set $upgrade $websocket; location = ${READINESS_PATH} { return 200; } location / { proxy_pass http://${service.name}; } }\n`
}
