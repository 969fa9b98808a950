import { previousVariable, readRelease } from './release/release-file.ts'
import { rollTo } from './release/rolling-change.ts'
import { runCommand } from './stack/command.ts'
import { APPS, type App } from './stack/containers.ts'
import { say } from './stack/say.ts'

/** `roll.ts APP TAG`: a rolling change to a release. `roll.ts APP --back`: to the previous release. */
const [name, wanted] = process.argv.slice(2)
const app = APPS.find((each) => each === name)
const tag = app && wanted === '--back' ? previousOf(app) : wanted
if (app && tag) {
  await runCommand(async () => {
    const result = await rollTo(app, tag)
    if (result.outcome === 'aborted') process.exitCode = 1
    else say(`${app}: ${result.replaced} instances run ${tag}`)
  })
} else {
  process.stderr.write(`usage: roll.ts ${APPS.join('|')} TAG | --back\n`)
  process.exitCode = 2
}

function previousOf(ofApp: App): string | undefined {
  const previous = readRelease()[previousVariable(ofApp)]
  if (!previous) process.stderr.write(`no previous release of ${ofApp} is recorded\n`)
  return previous
}
