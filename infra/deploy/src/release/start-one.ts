import { setTimeout as wait } from 'node:timers/promises'
import { type App, type Container, containersOf, inspect } from '../stack/containers.ts'
import { compose, docker, lastLine, tryDocker } from '../stack/docker.ts'
import { untilUp } from '../stack/edge.ts'
import { GREEN_FILE, HEALTHY_WITHIN_S, START_ATTEMPTS } from '../stack/env.ts'
import { say, timed } from '../stack/say.ts'
import { untilServesWell } from './serves-well.ts'

export type Added =
  | { outcome: 'serving'; instance: string; seconds: string }
  | { outcome: 'failed'; reason: string }

type Colour = 'blue' | 'green'

/**
 * Starts one more instance of an app and waits until it serves well and the edge sends requests to it.
 * An instance that does not is removed, and another one is started: a busy machine can be too slow.
 */
export async function startOne(
  app: App,
  env: Record<string, string> = {},
  colour: Colour = 'blue',
): Promise<Added> {
  let added = await attempt(app, env, colour)
  for (let n = 1; n < START_ATTEMPTS && added.outcome === 'failed'; n += 1) {
    say(`${app}: start ${n} of ${START_ATTEMPTS} failed: ${added.reason}`)
    added = await attempt(app, env, colour)
  }
  return added
}

async function attempt(app: App, env: Record<string, string>, colour: Colour): Promise<Added> {
  const service = colour === 'blue' ? app : `${app}-green`
  const files = colour === 'blue' ? [] : [GREEN_FILE]
  const before = new Set(await allOf(service, files))
  const running = (await containersOf(service)).length
  const up = ['up', '-d', '--no-deps', '--no-build', '--no-recreate']
  const scale = ['--scale', `${service}=${running + 1}`, service]
  let newest: Container | undefined
  let failure: string | undefined
  const seconds = await timed(async () => {
    const { code, stderr } = await tryDocker(compose([...up, ...scale], files), env)
    if (code !== 0) throw new Error(lastLine(stderr))
    const id = (await allOf(service, files)).find((each) => !before.has(each))
    if (id === undefined) throw new Error('compose started no instance')
    newest = await untilHealthy(id)
    await untilServesWell(app, newest)
    await untilUp(`${app}-${colour}`, running + 1)
  }).catch((error: unknown) => {
    failure = error instanceof Error ? error.message : String(error)
    return ''
  })
  if (newest && failure === undefined) {
    return { outcome: 'serving', instance: newest.instance, seconds }
  }
  const newcomers = (await allOf(service, files)).filter((id) => !before.has(id))
  const words = await Promise.all(newcomers.map(lastWords))
  await Promise.all(newcomers.map((id) => docker(['rm', '-f', id])))
  return { outcome: 'failed', reason: [failure, ...words].join('; ') }
}

/** @throws Error as soon as it exits, and when it is not healthy within the deadline */
async function untilHealthy(id: string): Promise<Container> {
  const giveUpAt = performance.now() + HEALTHY_WITHIN_S * 1_000
  for (;;) {
    const [container] = await inspect([id])
    if (!container) throw new Error('the instance was removed')
    if (container.status === 'healthy') return container
    if (container.restarts > 0) throw new Error(`${container.instance} exited`)
    if (performance.now() > giveUpAt) {
      throw new Error(`${container.instance} is not healthy after ${HEALTHY_WITHIN_S} s`)
    }
    await wait(200)
  }
}

/** Containers of the service, including stopped ones. */
async function allOf(service: string, files: readonly string[]): Promise<string[]> {
  const listed = await docker(compose(['ps', '-aq', '--no-trunc', service], files))
  return listed.split('\n').filter((id) => id !== '')
}

async function lastWords(id: string): Promise<string> {
  const { stdout, stderr } = await tryDocker(['logs', '--tail', '5', id])
  return lastLine(stderr) || lastLine(stdout)
}
