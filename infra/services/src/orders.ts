import { type App, services } from './services.ts'

const layer = { domain: 0, gateway: 1, web: 2 }

/** The order in which services start: domain services, the gateway, web. */
export const startOrder: readonly App[] = services
  .toSorted((a, b) => layer[a.role] - layer[b.role])
  .map(({ name }) => name)

/** The order in which a cluster stops: each layer drains while the services that it calls still run. */
export const stopOrder: readonly App[] = services
  .toSorted((a, b) => layer[b.role] - layer[a.role])
  .map(({ name }) => name)
