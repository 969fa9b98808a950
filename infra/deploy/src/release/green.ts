import { type App, APPS, containersOf } from '../stack/containers.ts'
import { compose, docker } from '../stack/docker.ts'
import { countUp, setGreenPercent } from '../stack/edge.ts'
import { GREEN_FILE } from '../stack/env.ts'
import { say, timed } from '../stack/say.ts'
import { previousVariable, tagVariable, writeRelease } from './release-file.ts'
import { startOne } from './start-one.ts'

const greenOf = (app: App) => `${app}-green`

/**
 * Starts the second color beside the first, with the same number of instances. It receives no requests yet.
 * @throws Error when it does not become healthy; it is removed then
 */
export async function startGreen(tag: string, apps: readonly App[] = APPS): Promise<void> {
  await setGreenPercent(0)
  try {
    const seconds = await timed(async () => {
      for (const app of apps) {
        const { length: count } = await containersOf(app)
        await startAll(app, count, 'green', tag)
      }
    })
    say(`green: ${apps.join(', ')} at ${tag} are healthy after ${seconds} s`)
  } catch (error) {
    await stopGreen(apps)
    throw error
  }
}

/** Starts instances one by one: all at the same time would slow down the instances that serve. */
async function startAll(app: App, count: number, colour: 'blue' | 'green', tag?: string) {
  const env: Record<string, string> = tag === undefined ? {} : { GREEN_TAG: tag }
  for (
    let n = (await containersOf(colour === 'blue' ? app : greenOf(app))).length;
    n < count;
    n += 1
  ) {
    const added = await startOne(app, env, colour)
    if (added.outcome === 'failed') throw new Error(`${app}: ${added.reason}`)
  }
}

/** Sends this share of the requests to green. */
export async function shift(percent: number): Promise<void> {
  await setGreenPercent(percent)
  say(`green: gets ${percent} % of the requests`)
}

/** Blue, which receives no requests, starts with the release of green; then green drains and is removed. */
export async function finishGreen(tag: string, apps: readonly App[] = APPS): Promise<void> {
  const seconds = await timed(async () => {
    for (const app of apps) {
      const outgoing = await containersOf(app)
      const previous = outgoing[0]?.image.split(':').at(-1) ?? ''
      writeRelease({ [tagVariable(app)]: tag, [previousVariable(app)]: previous })
      await remove([app])
      await startAll(app, outgoing.length, 'blue')
    }
  })
  say(`blue: ${apps.join(', ')} at ${tag} are healthy after ${seconds} s`)
  await shift(0)
  await stopGreen(apps)
}

/** Green receives no more requests; its instances finish their requests and are removed. */
export async function stopGreen(apps: readonly App[] = APPS): Promise<void> {
  await setGreenPercent(0)
  say(`green: drained and removed in ${await timed(() => remove(apps.map(greenOf)))} s`)
}

async function remove(services: readonly string[]): Promise<void> {
  await docker(compose(['stop', ...services], [GREEN_FILE]))
  await docker(compose(['rm', '-f', ...services], [GREEN_FILE]))
}

/** Whether the edge sends requests to instances of that color for every app. */
export async function serves(colour: 'blue' | 'green', apps: readonly App[] = APPS) {
  const counts = await Promise.all(apps.map((app) => countUp(`${app}-${colour}`)))
  return counts.every((count) => count > 0)
}
