import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { list, Prompt } from './run-script.ts'

export interface LogEntry {
  n: number
  text: string
}

/** At most so many entries in one read: more would hold up Redis for others. */
const COUNT = 512

/** The entries of the log after number `n`, or the first of them. */
export async function readLog(client: Redis, log: string, n: number): Promise<LogEntry[]> {
  const args = [log, `(${n}-0`, '+', 'COUNT', COUNT]
  return list(await client.sendCommand(new Prompt('xrange', args))).map(toEntry)
}

/** The log's last number, and when the list of members was started. */
export async function readHead(client: Redis, meta: string): Promise<{ n: number; born: string }> {
  const [n, born] = list(await client.sendCommand(new Prompt('hmget', [meta, 'n', 'born'])))
  return { n: Number(n), born: String(born) }
}

/** Unheard, whoever waits for it waits until our lease is over, which is as good. */
export async function tell(client: Redis | undefined, channel: string, text: string) {
  if (client?.status !== 'ready') return
  await client.sendCommand(new Prompt('spublish', [channel, text]))
}

/** An entry as it is told while it is added. */
export function readNews(news: string): LogEntry {
  const space = news.indexOf(' ')
  return { n: Number(news.slice(0, space)), text: news.slice(space + 1) }
}

/** What a payload is known by, here and in scripts. */
export function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

function toEntry(entry: unknown): LogEntry {
  const [id, fields] = list(entry)
  return { n: Number(String(id).slice(0, -2)), text: String(list(fields)[1]) }
}
