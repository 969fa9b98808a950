import { type App, APPS, containersOf } from './containers.ts'
import { compose, docker } from './docker.ts'
import { countUp, setGreenPercent, untilUp } from './edge.ts'
import { GREEN_FILE, HEALTHY_WITHIN_S } from './env.ts'
import { previousVariable, tagVariable, writeRelease } from './release-file.ts'
import { say, timed } from './say.ts'

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
        await startOneByOne(greenOf(app), count, { GREEN_TAG: tag })
        await untilUp(greenOf(app), count)
      }
    })
    say(`green: ${apps.join(', ')} at ${tag} are healthy after ${seconds} s`)
  } catch (error) {
    await stopGreen(apps)
    throw error
  }
}

/** All at once would take the processors away from those that serve. */
async function startOneByOne(service: string, count: number, env: Record<string, string>) {
  const up = ['up', '-d', '--no-deps', '--no-build', '--no-recreate']
  const wait = ['--wait', '--wait-timeout', String(HEALTHY_WITHIN_S)]
  for (let n = 1; n <= count; n += 1) {
    await docker(
      compose([...up, ...wait, '--scale', `${service}=${n}`, service], [GREEN_FILE]),
      env,
    )
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
      await startOneByOne(app, outgoing.length, {})
      await untilUp(`${app}-blue`, outgoing.length)
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
