import { Pool, type PoolClient, type PoolConfig } from 'pg'
import { DatabaseUnavailableError, isRefusal, markStoreError } from '../availability.ts'
import type { createQueryStats } from '../figures/query-stats.ts'
import { createDeadlines, type DeadlineOptions } from './deadlines.ts'
import type { createNamedStatements } from './named-statements.ts'
import { createUsable } from './usable.ts'
import { type Acquired, createWaitingCalls, type Release } from './waiting-calls.ts'

export type QueuedPoolOptions = PoolConfig &
  Omit<DeadlineOptions, 'expireWaiting'> & {
    connectTimeoutMs: number
    max: number
    min: number
    named: ReturnType<typeof createNamedStatements>
    stats: ReturnType<typeof createQueryStats>
  }

/** The limit of handshakes at once: they use the processor time of waiting calls. */
const OPENED_AT_ONCE = 3
const RETRY_MS = 100
const UPKEEP_MS = 1_000

/**
 * A `pg` pool in which opening a connection and waiting for one are separate. A call uses the first
 * free connection. A failed attempt to connect is repeated while calls wait. A call fails only at its
 * deadline, which covers the wait for a connection and for the reply.
 */
export class QueuedPool extends Pool {
  readonly #min: number
  readonly #waiting: ReturnType<typeof createWaitingCalls>
  readonly #deadlines: ReturnType<typeof createDeadlines>
  readonly #usable = createUsable()
  #isClosing = false
  #taking = 0
  #opening = 0
  #failure: Error | undefined
  #retry: NodeJS.Timeout | undefined
  #upkeep: NodeJS.Timeout | undefined

  constructor({ deadlineMs, busyDeadlineMs, named, stats, ...options }: QueuedPoolOptions) {
    super(options)
    this.#min = options.min
    this.#waiting = createWaitingCalls(() => this.#deadlines.now(), stats.noteError)
    const expireWaiting = () => this.#expireWaiting()
    this.#deadlines = createDeadlines({ deadlineMs, busyDeadlineMs, expireWaiting })
    Object.defineProperty(this, 'waitingCount', { get: () => this.#waiting.count() })
    // The pool removes an idle connection that the server closed. Unhandled, the event ends the process.
    this.on('error', () => undefined)
    this.on('connect', (client) => {
      stats.watch(client)
      named.observe(client)
      this.#usable.observe(client)
      this.#deadlines.observe(client)
    })
    this.on('remove', () => {
      this.#pump()
      this.#keepMinimum()
    })
  }

  override connect(): Promise<PoolClient>
  override connect(acquired: Acquired): void
  override connect(acquired?: Acquired): Promise<PoolClient> | void {
    if (!acquired) return this.#connected()
    this.#waiting.add(acquired)
    this.#deadlines.start()
    this.#pump()
  }

  /**
   * Calls `use` once with each of the minimum of connections, and opens missing ones.
   * @throws the failure of any of them
   */
  async warm(use: (client: PoolClient) => Promise<void>): Promise<void> {
    const clients: PoolClient[] = []
    const ends = await Promise.allSettled(
      Array.from({ length: this.#min }, async () => {
        const client = await this.#take()
        clients.push(client)
        await use(client)
      }),
    )
    for (const client of clients) client.release(client.getTransactionStatus() !== 'I')
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  /** Waiting calls are served first, or miss their deadline. */
  override end(): Promise<void>
  override end(ended: () => void): void
  override end(ended?: () => void): Promise<void> | void {
    clearTimeout(this.#upkeep)
    this.#isClosing = true
    const closed = this.#waiting.close().then(() => super.end())
    return ended ? void closed.then(ended) : closed
  }

  #connected(): Promise<PoolClient> {
    const { promise, resolve, reject } = Promise.withResolvers<PoolClient>()
    this.connect((error, client) => (client ? resolve(client) : reject(error)))
    return promise
  }

  /** Gives idle connections to waiting calls, and opens further ones up to the limit. */
  #pump(): void {
    if (this.ending) return
    while (this.idleCount > this.#taking && this.#waiting.count() > this.#taking) {
      this.#taking += 1
      super.connect((error, client, release) => {
        this.#taking -= 1
        this.#deliver(error, client, release)
      })
    }
    while (this.#retry === undefined && this.#waiting.count() > this.#taking + this.#opening) {
      if (!this.#open()) return
    }
  }

  #open(): boolean {
    if (this.totalCount >= this.options.max || this.#opening >= OPENED_AT_ONCE) return false
    this.#opening += 1
    super.connect((error, client, release) => {
      this.#opening -= 1
      this.#deliver(error, client, release)
    })
    return true
  }

  #deliver(error: Error | undefined, client: PoolClient | undefined, release: Release): void {
    if (!client) return this.#failed(error)
    this.#failure = undefined
    const done = this.#releaseOf(client, release)
    const waiter = this.#usable.isUsable(client) ? this.#waiting.next() : undefined
    if (!waiter) return done()
    client.release = done
    this.#deadlines.begin(client, waiter.sinceMs)
    waiter.acquired(undefined, client, done)
    this.#pump()
  }

  #releaseOf(client: PoolClient, release: Release): Release {
    return (reason) => {
      this.#deadlines.end(client)
      release(reason || !this.#usable.isUsable(client))
      this.#pump()
    }
  }

  #failed(error: Error | undefined): void {
    if (error) markStoreError(error)
    this.#failure = error
    if (isRefusal(error)) this.#waiting.rejectWhile(() => error)
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.#pump()
    }, RETRY_MS)
    this.#keepMinimum()
  }

  #expireWaiting(): boolean {
    this.#waiting.rejectWhile(({ sinceMs }) => {
      const deadline = this.#deadlines.missed(sinceMs)
      if (deadline === undefined) return undefined
      const reason = this.#failure ? `: ${this.#failure.message}` : ''
      const message = `no connection to PostgreSQL within ${deadline}${reason}`
      return new DatabaseUnavailableError('no-connection', message, { cause: this.#failure })
    })
    return this.#waiting.count() > 0
  }

  /** Replaces lost connections before a call needs them. */
  #keepMinimum(): void {
    if (this.#isClosing || this.totalCount >= this.#min) return
    this.#upkeep ??= setTimeout(() => {
      this.#upkeep = undefined
      if (this.#isClosing || this.totalCount >= this.#min) return
      this.#openBesideIdle()
      this.#keepMinimum()
    }, UPKEEP_MS).unref()
  }

  /** `Pool.connect` opens a connection only if none is idle, so idle ones are reserved for a moment. */
  #openBesideIdle(): void {
    for (let taken = this.idleCount; taken > 0; taken -= 1) {
      super.connect((_, client, release) => setImmediate(release, !client))
    }
    this.#open()
  }

  /** Takes a connection that no other caller uses, new or idle. */
  async #take(): Promise<PoolClient> {
    try {
      const client = await super.connect()
      this.#deadlines.begin(client)
      this.#deadlines.start()
      client.release = this.#releaseOf(client, client.release.bind(client))
      return client
    } catch (error) {
      if (error instanceof Error) markStoreError(error)
      throw error
    }
  }
}
