import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setInterval } from 'node:timers/promises'
import { APPS, containersOf } from './stack/containers.ts'
import { COMPOSE_DIR, EDGE } from './stack/env.ts'

/**
 * `describe.ts FILE [--watch]`: writes a `cluster.json` as the embedded cluster does, for the stack in
 * containers, so that the same tests run on both. With `--watch`, it updates the file while instances start
 * and end.
 */
const EVERY_MS = 500
const [file = join(COMPOSE_DIR, '../../.threefold/cluster.json'), watch] = process.argv.slice(2)
const target = resolve(file)
mkdirSync(dirname(target), { recursive: true })
await describe()
if (watch) for await (const _ of setInterval(EVERY_MS)) await describe()

async function describe() {
  const containers = await containersOf()
  const instances = containers.flatMap(({ service, instance, hostPort, pid, id }) => {
    const app = APPS.find((each) => service === each || service === `${each}-green`)
    const url = `http://localhost:${hostPort}`
    return app && hostPort ? [{ app, id: instance, url, pid, container: id }] : []
  })
  const stores = ['postgres', 'valkey-state'].flatMap((service) =>
    containers
      .filter((each) => each.service === service)
      .map(({ pid, id }) => ({ name: service.replace('-state', ''), pid, container: id })),
  )
  const databaseUrl = 'postgres://threefold@postgres:5432/threefold'
  const text = `${JSON.stringify({ edge: EDGE, databaseUrl, stores, instances }, null, 2)}\n`
  if (text === current()) return
  writeFileSync(`${target}.new`, text, { mode: 0o600 })
  renameSync(`${target}.new`, target)
}

function current(): string | undefined {
  try {
    return readFileSync(target, 'utf8')
  } catch {
    return undefined
  }
}
