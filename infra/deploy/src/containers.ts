import { docker, tryDocker } from './docker.ts'
import { PROJECT } from './env.ts'

export const APPS = ['auth', 'gateway', 'payments', 'web'] as const
export type App = (typeof APPS)[number]

export interface Container {
  id: string
  /** As the instance names itself: `auth-2`. */
  instance: string
  service: string
  image: string
  /** Its first process on this machine. */
  pid: number
  /** The published port on this machine, where there is one. */
  hostPort: number | undefined
}

interface Inspected {
  Id: string
  Name: string
  Config: { Image: string; Labels: Record<string, string> }
  State: { Pid: number }
  NetworkSettings: { Ports: Record<string, { HostPort: string }[] | null> }
}

/** The containers of a service that run now, oldest first; of all services without a name. */
export async function containersOf(service?: string): Promise<Container[]> {
  const labels = [`com.docker.compose.project=${PROJECT}`, 'com.docker.compose.oneoff=False']
  if (service) labels.push(`com.docker.compose.service=${service}`)
  const listed = await docker(['ps', '-q', ...labels.flatMap((each) => ['-f', `label=${each}`])])
  const ids = listed.split('\n').filter((id) => id !== '')
  if (ids.length === 0) return []
  // One that was removed between the two questions is left out, and docker's exit code says so.
  const inspected: Inspected[] = JSON.parse((await tryDocker(['inspect', ...ids])).stdout)
  return inspected.map(toContainer).toSorted((a, b) => numberOf(a) - numberOf(b))
}

function toContainer({ Id, Name, Config, State, NetworkSettings }: Inspected): Container {
  const bindings = Object.values(NetworkSettings.Ports).flatMap((each) => each ?? [])
  return {
    id: Id,
    instance: Name.slice(`/${PROJECT}-`.length),
    service: Config.Labels['com.docker.compose.service'] ?? '',
    image: Config.Image,
    pid: State.Pid,
    hostPort: bindings[0] && Number(bindings[0].HostPort),
  }
}

function numberOf({ instance }: Container): number {
  return Number(instance.split('-').at(-1))
}
