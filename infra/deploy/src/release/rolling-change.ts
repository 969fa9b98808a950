import { type App, type Container, containersOf } from '../stack/containers.ts'
import { docker } from '../stack/docker.ts'
import { say, timed } from '../stack/say.ts'
import { previousVariable, tagVariable, writeRelease } from './release-file.ts'
import { startOne } from './start-one.ts'

export type RollOutcome =
  | { outcome: 'rolled'; replaced: number }
  /** No instance that served was stopped after the first new one that did not serve well. */
  | { outcome: 'aborted'; replaced: number; reason: string }

/** Replaces the instances of an app with instances of another release, as `replaceInstances` does. */
export async function rollTo(app: App, tag: string): Promise<RollOutcome> {
  const old = await containersOf(app)
  const first = old[0]
  if (!first) throw new Error(`no instance of ${app} runs`)
  const previous = first.image.split(':').at(-1) ?? ''
  say(`${app}: ${old.length} of ${previous} become ${old.length} of ${tag}`)
  const result = await replaceInstances(app, old, { [tagVariable(app)]: tag })
  if (result.outcome === 'rolled') {
    writeRelease({ [tagVariable(app)]: tag, [previousVariable(app)]: previous })
  }
  return result
}

/**
 * Replaces instances one at a time: starts one more, waits until it serves well and the edge sends
 * requests to it, then drains and removes an old one. The number of instances never falls. A new
 * instance that does not serve well is removed.
 * @param env variables for compose beside those of the file
 */
export async function replaceInstances(
  app: App,
  outgoing: readonly Container[],
  env: Record<string, string> = {},
): Promise<RollOutcome> {
  for (const [replaced, old] of outgoing.entries()) {
    const added = await startOne(app, env)
    if (added.outcome === 'failed') {
      say(`${app}: aborted, ${replaced} of ${outgoing.length} were replaced; ${added.reason}`)
      return { outcome: 'aborted', replaced, reason: added.reason }
    }
    const drained = await timed(() => retire(old))
    const { instance, seconds } = added
    say(`${app}: ${instance} serves well after ${seconds} s, ${old.instance} left in ${drained} s`)
  }
  return { outcome: 'rolled', replaced: outgoing.length }
}

/** Sends SIGTERM, and waits for at most its stop_grace_period. */
export async function retire({ id }: Container): Promise<void> {
  await docker(['stop', id])
  await docker(['rm', id])
}
