import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { replaceInstances, retire } from './release/rolling-change.ts'
import { startOne } from './release/start-one.ts'
import { type Change, desiredReplicas, findChanges } from './stack/changes.ts'
import { runCommand } from './stack/command.ts'
import { type App, APPS, type Container, containersOf } from './stack/containers.ts'
import { compose, docker, lastLine, tryDocker } from './stack/docker.ts'
import { edgeStartedAt, reloadEdge } from './stack/edge.ts'
import { COMPOSE_DIR, HEALTHY_WITHIN_S } from './stack/env.ts'
import { restartPostgres } from './stack/postgres.ts'
import { say } from './stack/say.ts'

/**
 * `apply.ts [--dry-run]`: applies the files, `.env` and the secrets to the running stack, with the
 * guarantees of a release. It replaces apps and poolers one at a time, PostgreSQL while queries wait, and
 * the edge by a reload if a reload is enough. It does not touch a service that has not changed.
 */
const ORDER = ['postgres', 'valkey-state', 'pgbouncer', 'migrate', ...APPS, 'edge']
const isApp = (service: string): service is App => APPS.some((app) => app === service)

await runCommand(async () => {
  if ((await containersOf()).length === 0) return startAll()
  const changes = (await findChanges()).toSorted(
    (a, b) => ORDER.indexOf(a.service) - ORDER.indexOf(b.service),
  )
  for (const { service, reasons } of changes) say(`${service}: ${reasons.join(', ')}`)
  if (process.argv.includes('--dry-run')) {
    if (changes.length === 0) say('nothing has changed')
    return
  }
  for (const change of changes) await apply(change)
  const scaled = await scaleApps()
  const reloaded = changes.some(({ service }) => service === 'edge')
    ? false
    : await reloadIfChanged()
  if (changes.length === 0 && !scaled && !reloaded) say('nothing has changed')
})

async function startAll() {
  say('nothing runs: start all')
  if (!process.argv.includes('--dry-run')) await docker(compose(['up', '-d', '--wait']))
}

async function apply({ service, outdated }: Change): Promise<void> {
  if (service === 'migrate') return migrate()
  if (isApp(service)) {
    if (outdated.length === 0) return
    const result = await replaceInstances(service, outdated)
    if (result.outcome === 'aborted')
      throw new Error(`${service} was not changed: ${result.reason}`)
    return
  }
  if (service === 'pgbouncer') return replacePoolers(outdated)
  if (service === 'postgres' && outdated.length > 0) {
    say(`postgres: queries were held for ${await restartPostgres(() => recreate(service))} ms`)
  } else await recreate(service)
  say(`${service}: replaced`)
}

/** Replaces one pooler at a time: the apps connect to the other pooler. */
async function replacePoolers(outdated: readonly Container[]): Promise<void> {
  for (const pooler of outdated) {
    await retire(pooler)
    await start('pgbouncer', '--no-recreate')
    say(`pgbouncer: ${pooler.instance} replaced`)
  }
  if (outdated.length === 0) await start('pgbouncer', '--no-recreate')
}

async function recreate(service: string): Promise<void> {
  await start(service, '--force-recreate')
}

async function start(service: string, how: '--no-recreate' | '--force-recreate'): Promise<void> {
  const up = ['up', '-d', '--no-deps', '--no-build', how]
  await docker(compose([...up, '--wait', '--wait-timeout', String(HEALTHY_WITHIN_S), service]))
}

/** Also checks settings that all services share. If it refuses them, no running service is touched. */
async function migrate(): Promise<void> {
  const { code, stderr } = await tryDocker(compose(['up', '--no-deps', '--no-build', 'migrate']))
  const [id = ''] = (await docker(compose(['ps', '-aq', 'migrate']))).split('\n')
  const ended = code === 0 ? Number(await docker(['wait', id])) : code
  if (ended === 0) return say('migrate: done')
  const log = await tryDocker(['logs', '--tail', '5', id])
  throw new Error(`migrate: ${lastLine(log.stderr) || lastLine(stderr) || `exit code ${ended}`}`)
}

async function scaleApps(): Promise<boolean> {
  let changed = false
  for (const [app, wanted] of await desiredReplicas()) {
    if (!isApp(app)) continue
    const running = await containersOf(app)
    for (let n = running.length; n < wanted; n += 1) {
      const added = await startOne(app)
      if (added.outcome === 'failed') throw new Error(`${app}: ${added.reason}`)
      say(`${app}: ${added.instance} serves well after ${added.seconds} s`)
      changed = true
    }
    for (const surplus of running.slice(wanted)) {
      await retire(surplus)
      say(`${app}: ${surplus.instance} left`)
      changed = true
    }
  }
  return changed
}

/** The edge reads its configuration and its certificate when it starts or is reloaded. */
async function reloadIfChanged(): Promise<boolean> {
  const startedAt = await edgeStartedAt()
  const [edge] = await containersOf('edge')
  const files = [
    join(COMPOSE_DIR, '../edge/haproxy.cfg'),
    ...(edge?.secrets ?? []).map(({ path }) => path),
  ]
  const changed = files.filter((file) => existsSync(file) && statSync(file).mtime > startedAt)
  if (changed.length === 0) return false
  await reloadEdge()
  say(`edge: reloaded, for ${changed.join(', ')}`)
  return true
}
