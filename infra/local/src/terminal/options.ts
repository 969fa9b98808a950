import { parseArgs } from 'node:util'
import { type App, startOrder } from '@repo/services'

export interface Options {
  /** The number of instances of each app. */
  replicas: ReadonlyMap<App, number>
  port: number
  instancePorts: number
  fresh: boolean
  /** Create the demo accounts also in a database that is not embedded. */
  seedDemo: boolean
  json: boolean
}

export type ParsedOptions =
  | { outcome: 'run'; options: Options }
  | { outcome: 'help' }
  | { outcome: 'invalid'; reason: string }

export const USAGE = `Usage: pnpm start [options]

Starts three instances of each app behind one load balancer.

  --replicas 3     instances of each app, 1 to 9
  --app auth=5     instances of one app; may be repeated
  --port 8080      port of the load balancer
  --ports 4000     instances listen on 4101, 4201, … above this; the metrics of the edge on 4001
  --fresh          start with an empty database (the embedded one only)
  --seed-demo      create the demo accounts also in the database that DATABASE_URL names;
                   one of them is an administrator with a public password
  --json           one JSON object per line, for programs
  --help           this text

DATABASE_URL and REDIS_URL, in the environment or in .env, replace the embedded servers.
\`pnpm stop\` stops the cluster of this checkout.
`

/** Reads the command line. A fault is one line. */
export function parseOptions(argv: string[]): ParsedOptions {
  try {
    const { values } = parseArgs({
      args: argv.filter((arg) => arg !== '--'),
      options: {
        replicas: { type: 'string', default: '3' },
        app: { type: 'string', multiple: true, default: [] },
        port: { type: 'string', default: '8080' },
        ports: { type: 'string', default: '4000' },
        fresh: { type: 'boolean', default: false },
        'seed-demo': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return { outcome: 'help' }
    const all = count('--replicas', values.replicas)
    const replicas = new Map<App, number>(startOrder.map((app) => [app, all]))
    for (const choice of values.app) {
      const [name, number] = choice.split('=', 2)
      const app = startOrder.find((each) => each === name)
      if (!app) throw new Error(`--app ${choice}: there is ${startOrder.join(', ')}`)
      replicas.set(app, count(`--app ${app}`, number ?? ''))
    }
    const { fresh, json, 'seed-demo': seedDemo } = values
    const port = portNumber('--port', values.port)
    const instancePorts = portNumber('--ports', values.ports)
    const options = { replicas, port, instancePorts, fresh, seedDemo, json }
    return { outcome: 'run', options }
  } catch (error) {
    return { outcome: 'invalid', reason: error instanceof Error ? error.message : String(error) }
  }
}

function count(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > 9) {
    throw new Error(`${option} ${text}: must be 1 to 9`)
  }
  return number
}

function portNumber(option: string, text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_000) {
    throw new Error(`${option} ${text}: must be a port number`)
  }
  return port
}
