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
  /** The image of the container. Its tag can name another image now. */
  imageId: string
  /** The hash of its settings when it was created. */
  configHash: string
  startedAt: Date
  /** The pid of its first process on this machine. */
  pid: number
  /** The published port on this machine, if it has one. */
  hostPort: number | undefined
  status: 'starting' | 'healthy' | 'unhealthy' | 'none'
  /** The number of restarts by Docker after an exit. */
  restarts: number
  /** The files of this machine from which it reads its secrets. */
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

/** The running containers of a service, or of all services without a name, oldest first. */
export async function containersOf(service?: string): Promise<Container[]> {
  const labels = [`com.docker.compose.project=${PROJECT}`, 'com.docker.compose.oneoff=False']
  if (service) labels.push(`com.docker.compose.service=${service}`)
  const listed = await docker(['ps', '-q', ...labels.flatMap((each) => ['-f', `label=${each}`])])
  const ids = listed.split('\n').filter((id) => id !== '')
  return ids.length === 0 ? [] : inspect(ids)
}

/** Containers by id, including stopped ones. A container that no longer exists is left out. */
export async function inspect(ids: readonly string[]): Promise<Container[]> {
  // If one container is missing, docker exits with an error and still prints the others.
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
