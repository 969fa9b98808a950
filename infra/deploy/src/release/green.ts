import { type App, APPS, containersOf } from '../stack/containers.ts'
import { compose, docker } from '../stack/docker.ts'
import { countUp, setGreenPercent } from '../stack/edge.ts'
import { GREEN_FILE } from '../stack/env.ts'
import { say, timed } from '../stack/say.ts'
import { previousVariable, tagVariable, writeRelease } from './release-file.ts'
import { startOne } from './start-one.ts'

const greenOf = (app: App) => `${app}-green`

/**
 * Starts the second colour beside the first, as many of each app; nobody is sent to it yet.
 * @throws Error when it does not become healthy; it is removed again
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

/** One by one: all at once would take the processors away from the instances that serve. */
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

/** Sends this share of the requests to green from now on. */
export async function shift(percent: number): Promise<void> {
  await setGreenPercent(percent)
  say(`green: gets ${percent} % of the requests`)
}

/** Blue, which nobody is sent to, takes the release over; then green drains and goes. */
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

/** Nobody is sent to green any more; its instances finish what they have and are removed. */
export async function stopGreen(apps: readonly App[] = APPS): Promise<void> {
  await setGreenPercent(0)
  say(`green: drained and removed in ${await timed(() => remove(apps.map(greenOf)))} s`)
}

async function remove(services: readonly string[]): Promise<void> {
  await docker(compose(['stop', ...services], [GREEN_FILE]))
  await docker(compose(['rm', '-f', ...services], [GREEN_FILE]))
}

/** Whether every app has instances of that colour that the edge sends to. */
export async function serves(colour: 'blue' | 'green', apps: readonly App[] = APPS) {
  const counts = await Promise.all(apps.map((app) => countUp(`${app}-${colour}`)))
  return counts.every((count) => count > 0)
}
