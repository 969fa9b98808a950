import { setTimeout as wait } from 'node:timers/promises'
import { compose, docker, lastLine, tryDocker } from './docker.ts'
import { HEALTHY_WITHIN_S } from './env.ts'

const MAP = '/var/lib/haproxy/release.map'
const CONFIG = '/usr/local/etc/haproxy/haproxy.cfg'

/** Says something to HAProxy's runtime interface and returns its answer. */
async function tell(command: string): Promise<string> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/9999; echo ${quote(command)} >&3; cat <&3`
  return docker(compose(['exec', '-T', 'edge', 'bash', '-c', script]))
}

/** Sends this share of the requests to green. Kept in a file too, for an edge that starts again. */
export async function setGreenPercent(percent: number): Promise<void> {
  const keep = `echo "green ${percent}" > ${MAP}`
  await docker(compose(['exec', '-T', 'edge', 'bash', '-c', keep]))
  const known = (await greenPercent()) !== undefined
  const answer = await tell(`${known ? 'set' : 'add'} map opt@${MAP} green ${percent}`)
  if (answer.trim() !== '') throw new Error(`the edge refused: ${answer.trim()}`)
}

/** The share that goes to green; undefined when the knob was never turned. */
async function greenPercent(): Promise<number | undefined> {
  const shown = /green (\d+)/.exec(await tell(`show map opt@${MAP}`))
  return shown?.[1] === undefined ? undefined : Number(shown[1])
}

const STATE = '/var/lib/haproxy/servers.state'

/**
 * Reads the configuration and the certificate again: a new process takes the listening sockets over,
 * with the instances that are up, and the old one ends when its requests have.
 * @throws Error when the configuration is refused; the old process goes on then
 */
export async function reloadEdge(): Promise<void> {
  const before = await processId()
  const check = ['exec', '-T', 'edge', 'haproxy', '-c', '-f', CONFIG]
  const { code, stderr } = await tryDocker(compose(check))
  if (code !== 0) throw new Error(`edge: the configuration is refused: ${lastLine(stderr)}`)
  const save = `exec 3<>/dev/tcp/127.0.0.1/9999; echo 'show servers state' >&3; cat <&3 >${STATE}`
  await docker(compose(['exec', '-T', 'edge', 'bash', '-c', save]))
  await docker(compose(['kill', '--signal', 'USR2', 'edge']))
  const giveUpAt = performance.now() + 10_000
  while ((await processId().catch(() => before)) === before) {
    if (performance.now() > giveUpAt) throw new Error('edge: no new process after 10 s')
    await wait(100)
  }
  // A later start must not take over what is up now.
  await docker(compose(['exec', '-T', 'edge', 'rm', '-f', STATE]))
}

async function processId(): Promise<string> {
  return /^Pid: (\d+)$/m.exec(await tell('show info'))?.[1] ?? ''
}

/** When the process that serves now was started: it has read its files then. */
export async function edgeStartedAt(): Promise<Date> {
  const seconds = /^Uptime_sec: (\d+)$/m.exec(await tell('show info'))?.[1]
  return new Date(Date.now() - Number(seconds ?? 0) * 1_000)
}

/** How many instances of a backend (`auth-blue`) the edge sends requests to. */
export async function countUp(backend: string): Promise<number> {
  const rows = (await tell('show stat')).split('\n').map((row) => row.split(','))
  const status = rows[0]?.indexOf('status') ?? -1
  return rows.filter(
    ([proxy, server, ...rest]) =>
      proxy === backend &&
      server?.startsWith('any-') === false &&
      !['BACKEND', 'FRONTEND'].includes(server) &&
      rest[status - 2]?.startsWith('UP') === true,
  ).length
}

/** Waits until the edge sends requests to this many. @throws Error when it does not in time */
export async function untilUp(backend: string, expected: number): Promise<void> {
  const giveUpAt = performance.now() + HEALTHY_WITHIN_S * 1_000
  while ((await countUp(backend)) < expected) {
    if (performance.now() > giveUpAt) throw new Error(`the edge does not see ${backend}`)
    await wait(100)
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
