import { createHash } from 'node:crypto'
import { Command, type Redis } from 'ioredis'
import { checkOption, refuse, requireMethods } from './bad-option.ts'

/** The limit of `unpack` in Lua, and of a call in JavaScript, whose arguments are on the stack. */
const MAX_ITEMS = 100_000

/** A Lua script. The server identifies it by the SHA-1 of its text. */
export interface Script {
  readonly lua: string
  readonly sha: string
  /** The number of keys. All of them share a hash tag. */
  readonly keys: number
}

/**
 * Declares a script. The header of the constant describes its KEYS, ARGV and return values.
 *
 * @throws RedisError `bad-option`
 */
export function script(declaration: { keys: number; lua: string }): Script {
  if (typeof declaration !== 'object' || declaration === null) refuse('script', 'an object')
  const { keys, lua } = checkOption('script', () => ({ ...declaration }))
  if (!Number.isInteger(keys) || keys < 0 || keys > MAX_ITEMS) refuse('keys', 'a number of keys')
  if (typeof lua !== 'string' || lua === '') refuse('lua', 'the text of a script')
  return { keys, lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Runs a script by its hash: one round trip, or two when the server does not have the script (first
 * use, restart, failover, SCRIPT FLUSH).
 *
 * @throws RedisError `bad-option` before anything is sent; otherwise the error of the client
 */
export async function runScript(
  redis: Redis,
  declared: Script,
  keyNames: string[],
  args: (string | number)[] = [],
): Promise<unknown> {
  requireMethods('redis', redis, ['sendCommand'])
  const { lua, sha, keys } = checkOption('script', () => ({ ...declared }))
  if (typeof sha !== 'string') refuse('script', 'made by script()')
  requireItems('keyNames', keyNames)
  requireItems('args', args)
  if (keyNames.length !== keys) {
    refuse('keyNames', `${keys} keys for this script, not ${keyNames.length}`)
  }
  return sendScript(redis, { lua, sha }, keyNames, args)
}

/**
 * As `runScript`, for a script with any number of keys and for arguments that the caller has checked:
 * nothing is checked here.
 */
export function sendScript(
  redis: Redis,
  declared: Pick<Script, 'lua' | 'sha'>,
  keyNames: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  return evaluate(declared, (name, text) =>
    sendCommand(redis, name, [text, keyNames.length, ...keyNames, ...args]),
  )
}

/** As `sendScript`, with bytes among the arguments and in the reply: a text of the reply is a buffer. */
export function sendBinaryScript(
  redis: Redis,
  declared: Pick<Script, 'lua' | 'sha'>,
  keyNames: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  return evaluate(declared, (name, text) => {
    const command = new BinaryCommand(name, [text, keyNames.length, ...keyNames, ...args])
    redis.sendCommand(command)
    return command.promise
  })
}

/** A command with bytes. Its superclass would create and measure each part three times. */
class BinaryCommand extends Command {
  override toWritable(socket: object): string | Buffer {
    if (!this.args.some((arg) => Buffer.isBuffer(arg))) return super.toWritable(socket)
    const parts: (string | Buffer)[] = []
    let length = 0
    let text = `*${this.args.length + 1}\r\n$${this.name.length}\r\n${this.name}\r\n`
    const endText = () => {
      parts.push(text)
      length += Buffer.byteLength(text)
    }
    for (const arg of this.args) {
      if (Buffer.isBuffer(arg)) {
        text += `$${arg.length}\r\n`
        endText()
        parts.push(arg)
        length += arg.length
        text = '\r\n'
      } else {
        text += `$${Buffer.byteLength(String(arg))}\r\n${String(arg)}\r\n`
      }
    }
    endText()
    const bytes = Buffer.allocUnsafe(length)
    let at = 0
    for (const part of parts) {
      at += typeof part === 'string' ? bytes.write(part, at) : part.copy(bytes, at)
    }
    return bytes
  }
}

/** Sends a command whose arguments are one list. The reply has text in place of bytes. */
export function sendCommand(
  redis: Redis,
  name: string,
  args: (string | number)[],
): Promise<unknown> {
  // A method of the client, such as `evalsha`, cannot take more arguments than fit on the stack.
  const command = new Command(name, args, { replyEncoding: 'utf8' })
  redis.sendCommand(command)
  return command.promise
}

/**
 * Evaluates a script by its hash, and by its text if the server does not have it.
 * @param send sends EVALSHA or EVAL with the hash or the text of the script
 */
export function evaluate<T>(
  { lua, sha }: Pick<Script, 'lua' | 'sha'>,
  send: (name: 'evalsha' | 'eval', script: string) => Promise<T>,
): Promise<T> {
  return send('evalsha', sha).catch((error: unknown) => {
    // NOSCRIPT is the reply before anything ran: the whole script repeats nothing.
    if (!isUnknownScript(error)) throw error
    return send('eval', lua)
  })
}

/** Whether the server does not have the script: nothing ran. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

/** Refuses values that would be sent as `undefined`, `NaN` or `[object Object]`. */
function requireItems(argument: string, items: readonly unknown[]): void {
  if (!Array.isArray(items) || items.length > MAX_ITEMS) {
    refuse(argument, `a list of at most ${MAX_ITEMS} items`)
  }
  for (const item of items) {
    const isItem = typeof item === 'string' ? item.isWellFormed() : Number.isFinite(item)
    if (!isItem) refuse(argument, 'well-formed texts and finite numbers')
  }
}
