import { type App, services } from '@repo/services'
import { docker, tryDocker } from './docker.ts'
import { PROJECT } from './env.ts'

export type { App }
/** In alphabetical order. */
export const APPS: readonly App[] = services.map(({ name }) => name).toSorted()

export interface Container {
  id: string
  /** The name of the instance: `auth-2`. */
  instance: string
  service: string
  image: string
  /** The image that it was made from; a tag may name another one by now. */
  imageId: string
  /** The hash of the settings that it was made with. */
  configHash: string
  startedAt: Date
  /** Its first process on this machine. */
  pid: number
  /** The published port on this machine, where there is one. */
  hostPort: number | undefined
  status: 'starting' | 'healthy' | 'unhealthy' | 'none'
  /** How often Docker has started it again after it exited. */
  restarts: number
  /** The files of this machine that it reads its secrets from. */
  secrets: { name: string; path: string }[]
  /** Its address on each network. */
  addresses: { network: string; address: string }[]
}

interface Inspected {
  Id: string
  Name: string
  Image: string
  RestartCount: number
  Config: { Image: string; Labels: Record<string, string> }
  State: { Pid: number; StartedAt: string; Health?: { Status: Container['status'] } }
  Mounts: { Source: string; Destination: string }[]
  NetworkSettings: {
    Ports: Record<string, { HostPort: string }[] | null>
    Networks: Record<string, { IPAddress: string }>
  }
}

/** The containers of a service that run now, oldest first; of all services without a name. */
export async function containersOf(service?: string): Promise<Container[]> {
  const labels = [`com.docker.compose.project=${PROJECT}`, 'com.docker.compose.oneoff=False']
  if (service) labels.push(`com.docker.compose.service=${service}`)
  const listed = await docker(['ps', '-q', ...labels.flatMap((each) => ['-f', `label=${each}`])])
  const ids = listed.split('\n').filter((id) => id !== '')
  return ids.length === 0 ? [] : inspect(ids)
}

/** These containers, also those that do not run. One that does not exist any more is left out. */
export async function inspect(ids: readonly string[]): Promise<Container[]> {
  // docker's exit code says that one is missing, and the others are written all the same.
  const inspected: Inspected[] = JSON.parse((await tryDocker(['inspect', ...ids])).stdout)
  return inspected.map(toContainer).toSorted((a, b) => numberOf(a) - numberOf(b))
}

function toContainer(from: Inspected): Container {
  const { Config, State, NetworkSettings } = from
  const bindings = Object.values(NetworkSettings.Ports).flatMap((each) => each ?? [])
  return {
    id: from.Id,
    instance: from.Name.slice(`/${PROJECT}-`.length),
    service: Config.Labels['com.docker.compose.service'] ?? '',
    image: Config.Image,
    imageId: from.Image,
    configHash: Config.Labels['com.docker.compose.config-hash'] ?? '',
    startedAt: new Date(State.StartedAt),
    pid: State.Pid,
    hostPort: bindings[0] && Number(bindings[0].HostPort),
    status: State.Health?.Status ?? 'none',
    restarts: from.RestartCount,
    secrets: from.Mounts.filter(({ Destination }) => Destination.startsWith('/run/secrets/')).map(
      ({ Source, Destination }) => ({
        name: Destination.slice('/run/secrets/'.length),
        path: Source,
      }),
    ),
    addresses: Object.entries(NetworkSettings.Networks).map(([network, { IPAddress }]) => ({
      network,
      address: IPAddress,
    })),
  }
}

function numberOf({ instance }: Container): number {
  return Number(instance.split('-').at(-1))
}
