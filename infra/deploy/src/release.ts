import { finishGreen, serves, shift, startGreen, stopGreen } from './release/green.ts'
import { runCommand } from './stack/command.ts'
import { APPS } from './stack/containers.ts'

const USAGE = `usage: release.ts start TAG [APP…]    a second set of instances, with no requests yet
       release.ts shift PERCENT       the knob: 10 is a canary, 100 is green, 0 is back to blue
       release.ts finish TAG [APP…]   blue takes the release over, green goes
       release.ts abort [APP…]        all requests to blue, green goes
`

/** Blue-green and canary releases: one number at the edge is the share of requests for each color. */
const [command, ...rest] = process.argv.slice(2)
const named = APPS.filter((app) => rest.includes(app))
const apps = named.length > 0 ? named : APPS
const value = rest.find((each) => !named.some((app) => app === each))

if (command === 'start' && value) await runCommand(() => startGreen(value, apps))
else if (command === 'finish' && value) await runCommand(() => finish(value))
else if (command === 'shift' && value && /^\d+$/.test(value))
  await runCommand(() => shift(Number(value)))
else if (command === 'abort') await runCommand(() => stopGreen(apps))
else {
  process.stderr.write(USAGE)
  process.exitCode = 2
}

async function finish(tag: string) {
  if (!(await serves('green', apps))) throw new Error('green does not serve: nothing was changed')
  await shift(100)
  await finishGreen(tag, apps)
}
