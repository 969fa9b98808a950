import { Command } from 'ioredis'
import { addArgument } from './resp.ts'

/** Of a key and of an argument each: its length, and its text in two parts. */
const PIECES = 3

/** A call of a script, whose many arguments are written at once and not one by one. */
export class ScriptCommand extends Command {
  readonly #written: string

  /** `pieces` are of all keys and then all arguments, as `addArgument` makes them. */
  constructor(
    name: 'evalsha' | 'eval',
    script: string,
    keys: number,
    pieces: readonly string[],
    text: boolean,
  ) {
    super(name, [], { replyEncoding: text ? 'utf8' : null })
    const first = [`*${3 + pieces.length / PIECES}`]
    for (const argument of [name, script, String(keys)]) addArgument(first, argument)
    first.push(...pieces, '\r\n')
    this.#written = first.join('')
  }

  override toWritable(): string {
    return this.#written
  }
}
