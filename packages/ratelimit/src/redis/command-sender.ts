import { createDeadlines, type Deadline, type Deadlines } from '@repo/concurrency'
import { type CallTimes, isUnknownScript, type Recovery } from '@repo/redis'
import type { Redis } from 'ioredis'

/** Receives the outcome of one command: one of the two, once. */
interface CommandCallbacks {
  /** Texts in the reply are buffers. */
  onReply(reply: unknown): void
  /** There was no reply, or it was an error. The command may have been executed. */
  onError(error: Error): void
}

/** Sends a command that is a complete text in RESP. */
export type SendCommand = (text: string, isAscii: boolean, callbacks: CommandCallbacks) => void

export interface CommandSender {
  readonly send: SendCommand
  /** Whether a command may be sent now. */
  readonly isAvailable: () => boolean
  /** Stops and resumes commands of requests. The circuit breaker still sends its probe. */
  readonly setStopped: (isStopped: boolean) => void
}

interface SenderOptions {
  /** The longest wait for a reply, in ms of awake time. */
  deadlineMs: number
  /** Runs before the receiver of each error reply, except for an unknown script. */
  onErrorReply: (error: Error) => void
  /**
   * Runs once for all commands that one sweep finds late: they are one round. `rounds` is the number
   * of rounds since the last reply.
   */
  onLate: (rounds: number, reason: string) => void
  /** Runs after a command was written. */
  onWritten: () => void
  recovery: Recovery
  times: CallTimes
}

const NO_ARGUMENTS: never[] = []

/** An entry in the queue of ioredis, which receives the reply. */
class SentCommand {
  readonly name = 'evalsha'
  readonly args = NO_ARGUMENTS
  readonly #callbacks: CommandCallbacks
  readonly #deadlines: Deadlines
  readonly #deadline: Deadline
  readonly #onReply: () => void
  readonly #onErrorReply: (error: Error) => void
  readonly #times: CallTimes
  readonly #startedMs: number = 0
  readonly #observed: ReturnType<CallTimes['observe']>

  constructor(
    callbacks: CommandCallbacks,
    deadlines: Deadlines,
    { deadlineMs, onErrorReply, times }: SenderOptions,
    onReply: () => void,
  ) {
    this.#callbacks = callbacks
    this.#deadlines = deadlines
    this.#onReply = onReply
    this.#onErrorReply = onErrorReply
    this.#times = times
    if (times.isAttached) {
      this.#startedMs = times.begin()
      this.#observed = times.observe()
    }
    this.#deadline = deadlines.start(() => this.#fail(new Error(lateReason(deadlineMs))))
  }

  resolve(reply: unknown) {
    if (!this.#deadlines.end(this.#deadline)) return
    if (this.#startedMs > 0) this.#times.end(this.#startedMs)
    this.#observed?.(this.name)
    this.#onReply()
    this.#callbacks.onReply(reply)
  }

  reject(error: Error) {
    if (this.#deadlines.end(this.#deadline)) this.#fail(error)
  }

  /** Whether it has no outcome yet. */
  get isOpen(): boolean {
    return this.#deadline.isOpen
  }

  #fail(error: Error) {
    if (this.#startedMs > 0) this.#times.end(this.#startedMs)
    this.#observed?.(this.name, error)
    if (isErrorReply(error) && !isUnknownScript(error)) this.#onErrorReply(error)
    this.#callbacks.onError(error)
  }
}

function lateReason(ms: number): string {
  return `no answer within ${ms} ms`
}

/**
 * Writes commands to the socket of a client and queues the receivers of their replies. This is all
 * that `client.sendCommand` does in the end. For a single call that method, its `Command` with a
 * promise, and a timer per call are a quarter of the processor time.
 *
 * A command waits at most `deadlineMs` of time in which the event loop ran, so a pause of this process
 * is no outage. No command is written twice (R5). While a lost connection is replaced for the first
 * time, a command waits within its deadline, since nothing of it was sent. Without a connection it
 * fails at once.
 */
export function createCommandSender(client: Redis, options: SenderOptions): CommandSender {
  const { recovery, onWritten, onLate } = options
  let isStopped = false
  let lateRounds = 0
  const deadlines = createDeadlines({
    ms: options.deadlineMs,
    onSweep() {
      lateRounds += 1
      onLate(lateRounds, lateReason(options.deadlineMs))
    },
  })

  function noteReply(): void {
    lateRounds = 0
  }

  function isReady(): boolean {
    return client.status === 'ready' && client.stream.writable
  }

  function write(text: string, isAscii: boolean, command: SentCommand): void {
    const { stream } = client
    stream.write(text, isAscii ? 'latin1' : 'utf8')
    // ioredis uses the database of an entry only to send it again, which this client never does.
    client.commandQueue.push({ command, stream, select: 0 })
    onWritten()
  }

  function send(text: string, isAscii: boolean, callbacks: CommandCallbacks): void {
    const command = new SentCommand(callbacks, deadlines, options, noteReply)
    if (isReady()) write(text, isAscii, command)
    else if (recovery.isRecovering())
      recovery.afterAttempt(() => sendAfterAttempt(text, isAscii, command))
    else command.reject(new Error('not connected to Redis'))
  }

  function sendAfterAttempt(text: string, isAscii: boolean, command: SentCommand): void {
    if (!command.isOpen) return
    if (isReady()) write(text, isAscii, command)
    else command.reject(new Error('not connected to Redis'))
  }

  return {
    send,
    isAvailable: () => !isStopped && (client.status === 'ready' || recovery.isRecovering()),
    setStopped(value) {
      isStopped = value
    },
  }
}

/** Whether the server sent this error. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** `\r\n$<length>\r\n`, which precedes an argument, by its length. */
const HEADERS: string[] = Array.from({ length: 128 }, (_, length) => `\r\n$${length}\r\n`)

/** The text that precedes an argument of this number of bytes. */
export function argumentHeader(length: number): string {
  return HEADERS[length] ?? `\r\n$${length}\r\n`
}

/** Adds an argument, of one or two parts, to the pieces of a command. */
export function addArgument(pieces: string[], text: string, secondPart = ''): void {
  const length = Buffer.byteLength(text) + (secondPart === '' ? 0 : Buffer.byteLength(secondPart))
  pieces.push(argumentHeader(length), text, secondPart)
}

/** The number of pieces of an argument. */
const PIECES = 3

/** A call of a script. `pieces` are those of all keys and then of all arguments. */
export function scriptCall(
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

/** The reply with texts in place of buffers. */
export function toText(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString()
  return Array.isArray(reply) ? reply.map(toText) : reply
}
