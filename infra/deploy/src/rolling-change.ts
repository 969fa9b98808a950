import { type App, type Container, containersOf } from './containers.ts'
import { compose, docker, lastLine, tryDocker } from './docker.ts'
import { untilUp } from './edge.ts'
import { HEALTHY_WITHIN_S } from './env.ts'
import { previousVariable, tagVariable, writeRelease } from './release-file.ts'
import { say, timed } from './say.ts'

export type RollOutcome =
  | { outcome: 'rolled'; replaced: number }
  /** Nothing that served was touched after the first instance that did not become healthy. */
  | { outcome: 'aborted'; replaced: number; reason: string }

/**
 * Replaces the instances of an app by those of another release, one at a time: one more, wait until
 * it is healthy and the edge sends to it, then drain and remove an old one. There are never fewer
 * than before. A release that does not become healthy is removed again.
 */
export async function rollTo(app: App, tag: string): Promise<RollOutcome> {
  const old = await containersOf(app)
  const first = old[0]
  if (!first) throw new Error(`no instance of ${app} runs`)
  const previous = first.image.split(':').at(-1) ?? ''
  say(`${app}: ${old.length} of ${previous} become ${old.length} of ${tag}`)

  for (const [replaced, outgoing] of old.entries()) {
    const added = await addOne(app, tag, old.length)
    if (added.outcome === 'unhealthy') {
      say(`${app}: aborted, ${replaced} of ${old.length} were replaced; ${added.reason}`)
      return { outcome: 'aborted', replaced, reason: added.reason }
    }
    const drained = await timed(() => retire(outgoing))
    const { instance, seconds } = added
    say(`${app}: ${instance} serves after ${seconds} s, ${outgoing.instance} left in ${drained} s`)
  }
  writeRelease({ [tagVariable(app)]: tag, [previousVariable(app)]: previous })
  return { outcome: 'rolled', replaced: old.length }
}

type Added =
  | { outcome: 'healthy'; instance: string; seconds: string }
  | { outcome: 'unhealthy'; reason: string }

async function addOne(app: App, tag: string, count: number): Promise<Added> {
  const before = new Set((await containersOf(app)).map(({ id }) => id))
  const up = ['up', '-d', '--no-deps', '--no-build', '--no-recreate']
  const wait = ['--wait', '--wait-timeout', String(HEALTHY_WITHIN_S)]
  const args = compose([...up, ...wait, '--scale', `${app}=${count + 1}`, app])
  let failure: string | undefined
  const seconds = await timed(async () => {
    const { code, stderr } = await tryDocker(args, { [tagVariable(app)]: tag })
    if (code === 0) await untilUp(`${app}-blue`, count + 1)
    else failure = lastLine(stderr)
  }).catch((error: unknown) => {
    failure = String(error)
    return ''
  })
  const newcomers = (await allOf(app)).filter((id) => !before.has(id))
  if (failure === undefined) {
    const newest = (await containersOf(app)).find(({ id }) => newcomers.includes(id))
    return { outcome: 'healthy', instance: newest?.instance ?? app, seconds }
  }
  const words = await Promise.all(newcomers.map(lastWords))
  await Promise.all(newcomers.map((id) => docker(['rm', '-f', id])))
  return { outcome: 'unhealthy', reason: [failure, ...words].join('; ') }
}

/** SIGTERM, and as long as its stop_grace_period says. */
async function retire({ id }: Container): Promise<void> {
  await docker(['stop', id])
  await docker(['rm', id])
}

/** The stopped ones too. */
async function allOf(app: App): Promise<string[]> {
  const listed = await docker(compose(['ps', '-aq', '--no-trunc', app]))
  return listed.split('\n').filter((id) => id !== '')
}

async function lastWords(id: string): Promise<string> {
  const { stdout, stderr } = await tryDocker(['logs', '--tail', '5', id])
  return lastLine(stderr) || lastLine(stdout)
}
