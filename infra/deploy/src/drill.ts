import { parseArgs } from 'node:util'
import { makeReleases } from './drill/releases.ts'
import { scenarios } from './drill/scenarios.ts'
import { summary, verdict } from './drill/verdicts.ts'
import { runCommand } from './stack/command.ts'
import { APPS } from './stack/containers.ts'
import { say } from './stack/say.ts'

/**
 * `drill.ts [--requests 10000] [--apps auth,web] [SCENARIO…]`: runs the procedures on the running stack under
 * load, and reports each promise as kept or broken.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    requests: { type: 'string', default: '10000' },
    apps: { type: 'string', default: APPS.join() },
  },
})
const wanted = positionals.length > 0 ? positionals : Object.keys(scenarios)
const unknown = wanted.filter((name) => !(name in scenarios))
if (unknown.length > 0) {
  process.stderr.write(
    `no scenario ${unknown.join(', ')}; there are ${Object.keys(scenarios).join(', ')}\n`,
  )
  process.exit(2)
}

await runCommand(async () => {
  const apps = APPS.filter((app) => values.apps.split(',').includes(app))
  const releases = await makeReleases()
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (!wanted.includes(name)) continue
    try {
      await scenario({ requests: Number(values.requests), apps, releases })
    } catch (error) {
      verdict(name, false, String(error))
      say(error instanceof Error ? (error.stack ?? '') : '')
    }
  }
  process.exitCode = summary() ? 0 : 1
})
