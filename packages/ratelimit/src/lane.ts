import { createDeadlines, type Deadline, type Deadlines } from '@repo/concurrency'
import type { Redis } from 'ioredis'

/** Receives the outcome of one command, once. */
export interface Call {
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
  /** Runs before the receiver of each failure. */
  onFailure: (error: Error) => void
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
    this.#deadline = deadlines.start(() => this.#fail(createLateError(options.deadlineMs)))
  }

  resolve(reply: unknown) {
    if (!this.#deadlines.end(this.#deadline)) return
    this.#options.onAnswer()
    this.#call.answered(reply)
  }

  reject(error: Error) {
    if (this.#deadlines.end(this.#deadline)) this.#fail(error)
  }

  #fail(error: Error) {
    this.#options.onFailure(error)
    this.#call.unanswered(error)
  }
}

function createLateError(ms: number): Error {
  return new Error(`Redis did not answer within ${ms} ms`)
}

/**
 * A shorter path to the socket of a client: it writes the text of a command and queues the receiver of
 * its reply, which is all that `client.sendCommand` does in the end. Of a single call that method, its
 * `Command` with a promise, and a timer per call are a quarter of the processor time.
 *
 * A call waits at most `deadlineMs`; while the client is not ready, it fails at once.
 */
export function createLane(client: Redis, options: LaneOptions): Lane {
  const deadlines = createDeadlines({ ms: options.deadlineMs })

  return function send(text, isAscii, call) {
    const { stream } = client
    if (client.status !== 'ready' || !stream.writable) {
      const error = new Error('not connected to Redis')
      options.onFailure(error)
      call.unanswered(error)
      return
    }
    stream.write(text, isAscii ? 'latin1' : 'utf8')
    // ioredis reads the database of an entry only to send it again, which this client never does.
    client.commandQueue.push({ command: new Sent(call, deadlines, options), stream, select: 0 })
  }
}

/** Whether the server does not have the script: nothing ran. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
