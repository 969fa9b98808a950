import { lookup } from 'node:dns/promises'
import { type App, localOffset, serviceOf, startOrder } from '@repo/services'
import type { Options } from '../terminal/options.ts'

/** The address on which each instance listens. */
const HOST = '127.0.0.1'
/** The host in URLs for users and tests: `localhost`, if it resolves to the address of the instances. */
export const publicHost = (await isLocalhost(HOST)) ? 'localhost' : HOST

export interface InstancePlan {
  app: App
  id: string
  number: number
  port: number
  /** The URL for users and tests. */
  url: string
  /** The URL for other instances, without a name to resolve. */
  internalUrl: string
}

/** Every instance to run, in the order in which they start: the first of each app, then the second… */
export function planInstances({
  replicas,
  instancePorts,
}: Pick<Options, 'replicas' | 'instancePorts'>): InstancePlan[] {
  const most = Math.max(...replicas.values())
  return Array.from({ length: most }, (_, i) => i + 1).flatMap((number) =>
    startOrder
      .filter((app) => number <= (replicas.get(app) ?? 0))
      .map((app) => {
        const port = instancePorts + localOffset(serviceOf(app)) + number
        const url = `http://${publicHost}:${port}`
        return {
          app,
          id: `${app}-${number}`,
          number,
          port,
          url,
          internalUrl: `http://${HOST}:${port}`,
        }
      }),
  )
}

/** The port of the edge's `/metrics`, on the loopback address. */
export function edgeMetricsPort({ instancePorts }: Pick<Options, 'instancePorts'>): number {
  return instancePorts + 1
}

/** The origins of one app, as instances of another app receive them. */
export function originsOf(plans: readonly InstancePlan[], app: App): string {
  return plans
    .filter((plan) => plan.app === app)
    .map(({ internalUrl }) => internalUrl)
    .join(',')
}

async function isLocalhost(address: string): Promise<boolean> {
  const found = await lookup('localhost', { all: true }).catch(() => [])
  return found.some((each) => each.address === address)
}
