import { Redis } from 'ioredis'
import { busKeys } from './keys.ts'

const { log, meta, news } = busKeys('test')

/** In one step, as every release does it. */
const APPEND = `
  local n = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'n', 1))
  redis.call('XADD', KEYS[2], n .. '-0', 'd', ARGV[1])
  if ARGV[2] == 'publish' then redis.call('SPUBLISH', KEYS[3], n .. ' ' .. ARGV[1]) end
  return n
`

/** Adds an entry to the log of the bus `test` as another release does; returns its number. */
export async function appendEntry(
  url: string,
  payload: string,
  { publish = false } = {},
): Promise<number> {
  const admin = new Redis(url)
  try {
    return Number(await admin.eval(APPEND, 3, meta, log, news, payload, publish ? 'publish' : ''))
  } finally {
    admin.disconnect()
  }
}
