import { existsSync, statSync } from 'node:fs'
import { APPS, type Container, containersOf, inspect } from './containers.ts'
import { compose, docker, tryDocker } from './docker.ts'

export interface Change {
  service: string
  /** The containers to replace; empty when the service does not run. */
  outdated: Container[]
  reasons: string[]
}

/**
 * Finds the services of the running stack that differ from the files, the settings and the secrets. A
 * secret whose file is newer than the container is also a change: the process has read the old value.
 */
export async function findChanges(): Promise<Change[]> {
  const hashes = await desiredHashes()
  const changes: Change[] = []
  for (const [service, hash] of hashes) {
    const containers = service === 'migrate' ? await lastRun(service) : await containersOf(service)
    const found = await Promise.all(containers.map((each) => reasonsFor(each, hash)))
    const outdated = containers.filter((_, n) => (found[n]?.length ?? 0) > 0)
    const reasons = containers.length === 0 ? ['does not run'] : [...new Set(found.flat())]
    if (reasons.length > 0) changes.push({ service, outdated, reasons })
  }
  return changes
}

/** The number of instances of each app in the settings. */
export async function desiredReplicas(): Promise<Map<string, number>> {
  interface Config {
    services: Record<string, { deploy?: { replicas?: number } }>
  }
  const config: Config = JSON.parse(await docker(compose(['config', '--format', 'json'])))
  return new Map(APPS.map((app) => [app, config.services[app]?.deploy?.replicas ?? 1]))
}

async function desiredHashes(): Promise<Map<string, string>> {
  const listed = await docker(compose(['config', '--hash', '*']))
  const rows = listed.split('\n').filter((row) => row !== '')
  return new Map(rows.map((row) => row.split(' ')).map(([name = '', hash = '']) => [name, hash]))
}

async function lastRun(service: string): Promise<Container[]> {
  const listed = await docker(compose(['ps', '-aq', '--no-trunc', service]))
  const ids = listed.split('\n').filter((id) => id !== '')
  return ids.length === 0 ? [] : inspect(ids)
}

async function reasonsFor(container: Container, hash: string): Promise<string[]> {
  const reasons: string[] = []
  if (container.configHash !== hash) reasons.push('settings or versions of secrets changed')
  const image = await tryDocker(['image', 'inspect', '--format', '{{.Id}}', container.image])
  if (image.code === 0 && image.stdout.trim() !== container.imageId) reasons.push('image rebuilt')
  for (const { name, path } of container.secrets) {
    if (existsSync(path) && statSync(path).mtime > container.startedAt) {
      reasons.push(`secret ${name} changed`)
    }
  }
  return reasons
}
