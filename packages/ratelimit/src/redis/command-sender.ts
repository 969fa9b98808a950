import { createDeadlines, type Deadline, type Deadlines } from '@repo/concurrency'
import { isUnknownScript, type Recovery } from '@repo/redis'
import type { Redis } from 'ioredis'

/** Receives the outcome of one command, once. */
interface Call {
  /** Texts in the reply are buffers. */
  answered(reply: unknown): void
  /** There was no answer, or it was an error; the command may have run. */
  unanswered(error: Error): void
}

/** Sends commands that are complete texts in the protocol of Redis. */
export type Lane = (text: string, isAscii: boolean, call: Call) => void

const NO_ARGUMENTS: never[] = []

interface LaneOptions {
  /** The longest time without an answer, in ms of awake time. */
  deadlineMs: number
  /** Runs before the receiver of each answer. */
  onAnswer: () => void
  /** Runs before the receiver of each error that the server sent, but not for an unknown script. */
  onErrorAnswer: (error: Error) => void
  /** Runs once for all calls that one sweep finds late: they are one round. */
  onLate: (reason: string) => void
  /** Runs after a command was written. */
  onWritten: () => void
  recovery: Recovery
}

/** An entry of the queue in which ioredis finds the receiver of each reply. */
class Sent {
  readonly name = 'evalsha'
  readonly args = NO_ARGUMENTS
  readonly #call: Call
  readonly #deadlines: Deadlines
  readonly #deadline: Deadline
  readonly #options: LaneOptions

  constructor(call: Call, deadlines: Deadlines, options: LaneOptions) {
    this.#call = call
    this.#deadlines = deadlines
    this.#options = options
    this.#deadline = deadlines.start(() => this.#fail(new Error(lateness(options.deadlineMs))))
  }

  resolve(reply: unknown) {
    if (!this.#deadlines.end(this.#deadline)) return
    this.#options.onAnswer()
    this.#call.answered(reply)
  }

  reject(error: Error) {
    if (this.#deadlines.end(this.#deadline)) this.#fail(error)
  }

  /** Whether its outcome is still open. */
  get isOpen(): boolean {
    return this.#deadline.isOpen
  }

  #fail(error: Error) {
    if (isAnswer(error) && !isUnknownScript(error)) this.#options.onErrorAnswer(error)
    this.#call.unanswered(error)
  }
}

function lateness(ms: number): string {
  return `no answer within ${ms} ms`
}

/**
 * A shorter path to the socket of a client: it writes the text of a command and queues the receiver of
 * its reply, which is all that `client.sendCommand` does in the end. Of a single call that method, its
 * `Command` with a promise, and a timer per call are a quarter of the processor time.
 *
 * A call waits at most `deadlineMs` of time in which our event loop ran, so a pause of this process is
 * no outage. While a lost connection is replaced for the first time, a call waits within that time,
 * since nothing of it was sent. Without a connection it fails at once. No call is written twice.
 */
export function createLane(client: Redis, options: LaneOptions): Lane {
  const { recovery } = options
  const deadlines = createDeadlines({
    ms: options.deadlineMs,
    onSweep: () => options.onLate(lateness(options.deadlineMs)),
  })

  function write(text: string, isAscii: boolean, command: Sent) {
    const { stream } = client
    if (client.status !== 'ready' || !stream.writable) {
      command.reject(new Error('not connected to Redis'))
      return
    }
    stream.write(text, isAscii ? 'latin1' : 'utf8')
    // ioredis reads the database of an entry only to send it again, which this client never does.
    client.commandQueue.push({ command, stream, select: 0 })
    options.onWritten()
  }

  return function send(text, isAscii, call) {
    const command = new Sent(call, deadlines, options)
    if (!recovery.isRecovering()) {
      write(text, isAscii, command)
      return
    }
    recovery.afterAttempt(() => {
      if (command.isOpen) write(text, isAscii, command)
    })
  }
}

/** Whether the server sent this error. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** `\r\n$<length>\r\n`, which stands before an argument, by its length. */
const BEFORE: string[] = Array.from({ length: 128 }, (_, length) => `\r\n$${length}\r\n`)

/** What stands before an argument of this number of bytes. */
export function before(length: number): string {
  return BEFORE[length] ?? `\r\n$${length}\r\n`
}

/** Adds an argument, of one or two parts, to a command in pieces. */
export function addArgument(pieces: string[], text: string, more = ''): void {
  const length = Buffer.byteLength(text) + (more === '' ? 0 : Buffer.byteLength(more))
  pieces.push(before(length), text, more)
}

/** The parts of an argument in pieces. */
const PIECES = 3

/** A call of a script; `pieces` are of all keys and then of all arguments. */
export function scriptText(
  name: 'evalsha' | 'eval',
  script: string,
  keys: number,
  pieces: readonly string[],
): string {
  const all = [`*${3 + pieces.length / PIECES}`]
  for (const argument of [name, script, String(keys)]) addArgument(all, argument)
  all.push(...pieces, '\r\n')
  return all.join('')
}

/** A reply with texts in place of buffers. */
export function toText(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString()
  return Array.isArray(reply) ? reply.map(toText) : reply
}
