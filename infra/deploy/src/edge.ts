import { setTimeout as wait } from 'node:timers/promises'
import { compose, docker } from './docker.ts'

const MAP = '/var/lib/haproxy/release.map'

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

/** Waits until the edge sends requests to this many. @throws Error when it does not within 20 s */
export async function untilUp(backend: string, expected: number): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while ((await countUp(backend)) < expected) {
    if (performance.now() > giveUpAt) throw new Error(`the edge does not see ${backend}`)
    await wait(100)
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
