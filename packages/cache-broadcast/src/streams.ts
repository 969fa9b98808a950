import { Command, type Redis } from 'ioredis'
import { list } from './run-script.ts'

export interface Entry {
  id: string
  fields: Map<string, string>
}

/** XREAD BLOCK on a connection that speaks RESP2; streams without news are not in the answer. */
export async function readStreams(
  client: Redis,
  { count, blockMs, from }: { count: number; blockMs: number; from: Record<string, string> },
): Promise<Map<string, Entry[]>> {
  const streams = [...Object.keys(from), ...Object.values(from)]
  const args = ['COUNT', count, 'BLOCK', blockMs, 'STREAMS', ...streams]
  const reply: unknown = await client.sendCommand(
    new Command('xread', args, { replyEncoding: 'utf8' }),
  )
  const found = new Map<string, Entry[]>()
  if (reply === null) return found
  for (const stream of list(reply)) {
    const [name, entries] = list(stream)
    found.set(String(name), list(entries).map(toEntry))
  }
  return found
}

/** The log's last number, and when the list of members was started. */
export async function readHead(client: Redis, meta: string): Promise<{ n: number; born: string }> {
  const command = new Command('hmget', [meta, 'n', 'born'], { replyEncoding: 'utf8' })
  const [n, born] = list(await client.sendCommand(command))
  return { n: Number(n), born: String(born) }
}

function toEntry(entry: unknown): Entry {
  const [id, flat] = list(entry)
  const fields = new Map<string, string>()
  const texts = list(flat)
  for (let i = 0; i + 1 < texts.length; i += 2) fields.set(String(texts[i]), String(texts[i + 1]))
  return { id: String(id), fields }
}
