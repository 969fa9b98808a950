import { createHash } from 'node:crypto'
import { script } from '@repo/redis'
import type { Redis } from 'ioredis'
import { list, Prompt, runBatch } from './run-script.ts'

export interface LogEntry {
  n: number
  /** Only its beginning if the entry is too large. */
  text: string
  /** Of the whole entry; only for one that is too large. */
  sha?: string
}

/** The longest entry that is read: no release sends one that is longer on purpose. */
export const MAX_ENTRY_BYTES = 2 ** 20
/** Enough to see of which kind an entry is that is too large to be read. */
const BEGINNING = 1_024
/** One read: more would occupy Redis, and this process, for too long. */
const READ_BYTES = 2 ** 20
const READ_ENTRIES = 512

/**
 * Reads the log in a bounded piece.
 * KEYS: 1 log   ARGV: 1 number after which to begin · 2 most entries · 3 most bytes, unless the first
 * entry has more · 4 most bytes of an entry · 5 bytes of the beginning of a longer one
 * Returns for each entry its number, its text, and '' or the SHA-1 of an entry whose text is cut.
 */
const readPiece = script({
  keys: 1,
  lua: /* lua */ `
    local answer, from, bytes, count = {}, '(' .. ARGV[1] .. '-0', 0, 4
    local most = ARGV[2] * 3
    repeat
      local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', count)
      local before = bytes
      for _, entry in ipairs(entries) do
        local text, sha = entry[2][2], ''
        if #text > tonumber(ARGV[4]) then
          sha = redis.sha1hex(text)
          text = string.sub(text, 1, ARGV[5])
        end
        bytes = bytes + #text
        if #answer > 0 and bytes > tonumber(ARGV[3]) then return answer end
        answer[#answer + 1] = string.match(entry[1], '^%d+')
        answer[#answer + 1] = text
        answer[#answer + 1] = sha
        from = '(' .. entry[1]
      end
      if #entries < count then return answer end
      if bytes - before < 65536 then count = 128 end
    until #answer >= most
    return answer
  `,
})

/** The entries of the log after a number, or the first of them. */
export async function readLog(client: Redis, log: string, after: number): Promise<LogEntry[]> {
  const args = [after, READ_ENTRIES, READ_BYTES, MAX_ENTRY_BYTES, BEGINNING]
  const fields = list(await runBatch(client, readPiece, [log], args)).map(String)
  const entries: LogEntry[] = []
  for (let i = 0; i < fields.length; i += 3) {
    const [n = '', text = '', sha = ''] = fields.slice(i, i + 3)
    entries.push(sha === '' ? { n: Number(n), text } : { n: Number(n), text, sha })
  }
  return entries
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

/** An entry as it is published when it is added; see `publishEntry`. */
export function readNews(news: string): LogEntry {
  const space = news.indexOf(' ')
  const n = Number(news.slice(0, space))
  const text = news.slice(space + 1)
  if (text.length <= MAX_ENTRY_BYTES) return { n, text }
  return { n, text: text.slice(0, BEGINNING), sha: sha1(text) }
}

/** What a payload is known by, here and in scripts. */
export function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
