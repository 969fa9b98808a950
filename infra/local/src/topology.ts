import { APPS, type App, type Options } from './options.ts'

/** Where an app's ports begin: its first instance listens on the next one, 4101. */
const OFFSET: Record<App, number> = { auth: 100, gateway: 200, web: 300, payments: 400 }

export interface InstancePlan {
  app: App
  id: string
  number: number
  port: number
  url: string
}

/** Every instance to run, in the order in which they start: the first of each app, then the second… */
export function planInstances({
  replicas,
  instancePorts,
}: Pick<Options, 'replicas' | 'instancePorts'>): InstancePlan[] {
  const most = Math.max(...Object.values(replicas))
  return Array.from({ length: most }, (_, i) => i + 1).flatMap((number) =>
    APPS.filter((app) => number <= replicas[app]).map((app) => {
      const port = instancePorts + OFFSET[app] + number
      return { app, id: `${app}-${number}`, number, port, url: `http://localhost:${port}` }
    }),
  )
}

/** The origins of one app, as instances of another app are told them. */
export function originsOf(plans: readonly InstancePlan[], app: App): string {
  return plans
    .filter((plan) => plan.app === app)
    .map(({ url }) => url)
    .join(',')
}
