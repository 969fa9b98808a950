import { spawn } from 'node:child_process'
import { type App, APPS, containersOf } from '../stack/containers.ts'

export interface Releases {
  /** Builds another release of every app. Each call returns a new tag. */
  next(): Promise<string>
  /** Builds a release of an app that exits when it is started. */
  crashing(app: App): Promise<string>
}

/** Builds releases for drills from the running images: the same code with another tag. */
export async function makeReleases(): Promise<Releases> {
  const images = new Map<App, string>()
  for (const app of APPS) {
    const [first] = await containersOf(app)
    if (!first) throw new Error(`no instance of ${app} runs: start the stack first`)
    images.set(app, first.image)
  }
  const run = Date.now().toString(36)
  let count = 0

  async function make(apps: readonly App[], lines: (tag: string) => string): Promise<string> {
    count += 1
    const tag = `drill-${run}-${count}`
    for (const app of apps) {
      await build(`threefold/${app}:${tag}`, `FROM ${images.get(app)}\n${lines(tag)}\n`)
    }
    return tag
  }

  return {
    next: () => make(APPS, (tag) => `ENV APP_VERSION=${tag}`),
    crashing: (app) =>
      make([app], () => `CMD ["bash", "-c", "echo this release is broken >&2; exit 1"]`),
  }
}

function build(image: string, dockerfile: string): Promise<void> {
  const child = spawn('docker', ['build', '-q', '-t', image, '-'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  child.stdin.end(dockerfile)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${image} could not be built`))
    })
  })
}
