import type { Service } from './service.ts'

/**
 * Every service, in the order of their numbers. `pnpm start`, the deploy scripts and the browser specs
 * read this list. After a change run `pnpm generate`, which writes the settings of the gateway and the
 * repeated parts of the compose files, of HAProxy and of nginx.
 */
export const services = [
  {
    name: 'auth',
    number: 1,
    role: 'domain',
    paths: ['/api/auth', '/.well-known'],
    access: 'open',
    usesDatabase: true,
    secrets: ['auth_secret', 'auth_secrets_accepted'],
    probe: { path: '/api/auth/get-session', status: 200 },
    description: 'users, sign-in and sessions',
  },
  {
    name: 'gateway',
    number: 2,
    role: 'gateway',
    paths: ['/api', '/.well-known'],
    access: 'open',
    usesDatabase: true,
    secrets: ['auth_secret', 'auth_secrets_accepted', 'internal_secret', 'trace_secret'],
    probe: { path: '/api/me', status: 401 },
    description: 'the entry to /api: sessions, limits, signed identity, streaming proxy',
  },
  {
    name: 'web',
    number: 3,
    role: 'web',
    paths: ['/'],
    access: 'open',
    usesDatabase: false,
    secrets: ['server_actions_key', 'trace_secret'],
    memory: { limitMiB: 768, heapMiB: 384 },
    probe: { path: '/sign-in', status: 200 },
    description: 'pages',
  },
  {
    name: 'payments',
    number: 4,
    role: 'domain',
    paths: ['/api/payments'],
    access: 'signed-in',
    usesDatabase: true,
    secrets: ['internal_secret', 'internal_secrets_accepted'],
    probe: { path: '/api/payments', status: 401 },
    description: 'the example domain service',
  },
] as const satisfies readonly Service[]

/** The name of a service. */
export type App = (typeof services)[number]['name']

/** The entry with a name. */
export function serviceOf(app: App): Service {
  const service = services.find(({ name }) => name === app)
  if (!service) throw new Error(`services.ts has no service "${app}"`)
  return service
}
