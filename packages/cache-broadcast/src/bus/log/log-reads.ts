import { createHash } from 'node:crypto'
import { script, sendCommand, sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { requireList } from '../../input.ts'

export interface LogEntry {
  n: number
  /** The text of the entry, or its beginning if the entry is too large. */
  text: string
  /** The SHA-1 of the whole entry, only for an entry that is too large. */
  sha?: string
}

/** The longest entry that is read: no release sends a longer one. */
export const MAX_ENTRY_BYTES = 2 ** 20
/** The part of a larger entry that is read: it contains the kind. */
const BEGINNING = 1_024
/** One read, at most: more would occupy Redis and this process for too long. */
const READ_BYTES = 2 ** 20
const READ_ENTRIES = 512

/**
 * Reads a part of the log.
 * KEYS: 1 log
 * ARGV: 1 number after which to begin · 2 maximum of entries · 3 maximum of bytes, unless the first
 * entry has more · 4 maximum of bytes of an entry · 5 bytes of the beginning of a longer entry
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

/** Reads the first entries of the log after a number. */
export async function readLog(client: Redis, log: string, after: number): Promise<LogEntry[]> {
  const args = [after, READ_ENTRIES, READ_BYTES, MAX_ENTRY_BYTES, BEGINNING]
  const fields = requireList(await sendScript(client, readPiece, [log], args)).map(String)
  const entries: LogEntry[] = []
  for (let i = 0; i < fields.length; i += 3) {
    const [n = '', text = '', sha = ''] = fields.slice(i, i + 3)
    entries.push(sha === '' ? { n: Number(n), text } : { n: Number(n), text, sha })
  }
  return entries
}

export interface LogHead {
  /** The last number of the log. */
  n: number
  /** The entries through this number were published before the reply. */
  published: number
  /** The time at which the list of members was started. */
  born: string
}

export async function readHead(client: Redis, meta: string): Promise<LogHead> {
  const fields = [meta, 'n', 'born', 'deferred']
  const [n, born, deferred] = requireList(await sendCommand(client, 'hmget', fields))
  const published = deferred === null ? Number(n) : Number(deferred) - 1
  return { n: Number(n), published, born: String(born) }
}

/**
 * Publishes an answer; returns whether it was sent. If it is lost, the sender waits until the lease of
 * this member has ended.
 */
export async function publishAnswer(
  client: Redis | undefined,
  channel: string,
  text: string,
): Promise<boolean> {
  if (client?.status !== 'ready') return false
  await sendCommand(client, 'spublish', [channel, text])
  return true
}

/** Decodes an entry as `publishing` publishes it: number, space, text. */
export function readNews(news: string): LogEntry {
  const space = news.indexOf(' ')
  const n = Number(news.slice(0, space))
  const text = news.slice(space + 1)
  if (text.length <= MAX_ENTRY_BYTES) return { n, text }
  return { n, text: text.slice(0, BEGINNING), sha: sha1(text) }
}

/** The digest that identifies a payload, here and in scripts. */
function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

export interface CursorOptions {
  onEntry: (entry: LogEntry) => void
  /** Entries up to `n` may have been missed. */
  onGap: (n: number) => void
}

/** The position of this process in the log: the number and the text of the last applied entry. */
export function createCursor({ onEntry, onGap }: CursorOptions) {
  let last = 0
  let lastText: string | undefined
  let lastSha = ''
  /** An entry was applied in part: the next join must drop all values. */
  let isInDoubt = false
  let highest = 0
  const waiting = new Set<{ n: number; resolve: () => void }>()

  function wake(): void {
    for (const waiter of waiting) {
      if (waiter.n > last) continue
      waiting.delete(waiter)
      waiter.resolve()
    }
  }

  function shaOfLast(): string {
    return lastText === undefined ? lastSha : sha1(lastText)
  }

  return {
    last: () => last,
    behind: () => Math.max(0, highest - last),
    /** Notes that an entry with this number exists. */
    note(n: number): void {
      if (n > highest) highest = n
    },
    /** The entry after which to continue; an empty number: this process must join without one. */
    anchor: () => ({ n: last === 0 || isInDoubt ? '' : String(last), sha: shaOfLast() }),
    /** Whether an entry that has the number of the last applied entry is the same entry. */
    isLast: (entry: LogEntry) => (entry.sha ?? sha1(entry.text)) === shaOfLast(),
    apply(entry: LogEntry): void {
      isInDoubt = true
      if (entry.n !== last + 1) onGap(entry.n)
      last = entry.n
      lastText = entry.sha === undefined ? entry.text : undefined
      lastSha = entry.sha ?? ''
      highest = Math.max(highest, entry.n)
      onEntry(entry)
      isInDoubt = false
      if (waiting.size > 0) wake()
    },
    /** Continues after entry `n`, and skips the entries before it. */
    moveTo(n: number, sha: string): void {
      const isMissing = last !== 0
      last = n
      lastText = undefined
      lastSha = sha
      if (isMissing) onGap(n)
      isInDoubt = false
      wake()
    },
    /** Resolves when entry `n` is applied, or after `timeoutMs`. */
    async reached(n: number, timeoutMs: number): Promise<void> {
      if (n <= last) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiter = { n, resolve }
      waiting.add(waiter)
      const timer = setTimeout(resolve, timeoutMs)
      await promise
      clearTimeout(timer)
      waiting.delete(waiter)
    },
  }
}

/**
 * The entries that this process has read from the log before they were published. When such an entry is
 * published later, it is no sign that the server was set back.
 */
export function createEarlyReads() {
  const texts = new Map<number, string>()

  return {
    add: ({ n, text }: LogEntry) => void texts.set(n, text),
    has: ({ n, text }: LogEntry) => texts.get(n) === text,
    /** The entries through this number were published. */
    published(through: number): void {
      for (const n of texts.keys()) if (n <= through) texts.delete(n)
    },
  }
}
