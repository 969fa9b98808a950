import { setTimeout as wait } from 'node:timers/promises'
import { compose, docker, lastLine, tryDocker } from './docker.ts'
import { HEALTHY_WITHIN_S } from './env.ts'

const MAP = '/var/lib/haproxy/release.map'
const CONFIG = '/usr/local/etc/haproxy/haproxy.cfg'

/** Sends a command to HAProxy's runtime interface and returns the reply. */
async function sendCommand(command: string): Promise<string> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/9999; echo ${quote(command)} >&3; cat <&3`
  return docker(compose(['exec', '-T', 'edge', 'bash', '-c', script]))
}

/** Sends this share of the requests to green. A file stores it for an edge that restarts. */
export async function setGreenPercent(percent: number): Promise<void> {
  const store = `echo "green ${percent}" > ${MAP}`
  await docker(compose(['exec', '-T', 'edge', 'bash', '-c', store]))
  const isSet = (await greenPercent()) !== undefined
  const answer = await sendCommand(`${isSet ? 'set' : 'add'} map opt@${MAP} green ${percent}`)
  if (answer.trim() !== '') throw new Error(`the edge refused: ${answer.trim()}`)
}

/** The share of the requests for green; undefined when it was never set. */
async function greenPercent(): Promise<number | undefined> {
  const shown = /green (\d+)/.exec(await sendCommand(`show map opt@${MAP}`))
  return shown?.[1] === undefined ? undefined : Number(shown[1])
}

const STATE = '/var/lib/haproxy/servers.state'

/**
 * Reads the configuration and the certificate again. A new process takes over the listening sockets and the
 * states of the instances. The old process ends after its last request.
 * @throws Error when the configuration is refused; the old process continues then
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
  // A later start must not use these states.
  await docker(compose(['exec', '-T', 'edge', 'rm', '-f', STATE]))
}

async function processId(): Promise<string> {
  return /^Pid: (\d+)$/m.exec(await sendCommand('show info'))?.[1] ?? ''
}

/** The start of the process that serves, which is when it read its files. */
export async function edgeStartedAt(): Promise<Date> {
  const seconds = /^Uptime_sec: (\d+)$/m.exec(await sendCommand('show info'))?.[1]
  return new Date(Date.now() - Number(seconds ?? 0) * 1_000)
}

/** The number of instances of a backend (`auth-blue`) to which the edge sends requests. */
export async function countUp(backend: string): Promise<number> {
  const rows = (await sendCommand('show stat')).split('\n').map((row) => row.split(','))
  const status = rows[0]?.indexOf('status') ?? -1
  return rows.filter(
    ([proxy, server, ...rest]) =>
      proxy === backend &&
      server?.startsWith('any-') === false &&
      !['BACKEND', 'FRONTEND'].includes(server) &&
      rest[status - 2]?.startsWith('UP') === true,
  ).length
}

/** Waits until the edge sends requests to a number of instances. @throws Error after the deadline */
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
