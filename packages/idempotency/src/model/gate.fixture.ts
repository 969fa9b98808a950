import type { DatabaseConnection } from '@repo/database'
import { type RedisConnection, RedisError } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { IdempotencyStore } from '../store.ts'

type PoolClient = DatabaseConnection['pool'] extends {
  connect: { (): Promise<infer Client>; (callback: never): void }
}
  ? Client
  : never

/** A call of an instance that waits until the history continues it. */
interface Parked {
  readonly instance: number
  readonly label: string
  readonly go: () => void
  /** Loses the command, its reply, or delays it beyond its deadline. Undefined: it has no connection. */
  readonly lose?: (way: 'command' | 'reply' | 'late') => void
}

/** The calls of all instances that wait or run. The history decides which one continues. */
export class Schedule {
  readonly parked: Parked[] = []
  /** The calls that a store executes now. */
  running = 0
  /** Counts continued calls, to detect that nothing moves. */
  moves = 0
  /** The instances whose calls do not wait any more. */
  readonly #open = new Set<number>()

  /** Waits for the history. */
  park(parked: Omit<Parked, 'go' | 'lose'>, lose?: Parked['lose']): Promise<void> {
    this.moves += 1
    if (this.#open.has(parked.instance)) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.parked.push({ ...parked, go: resolve, ...(lose && { lose }) })
    return promise
  }

  take(parked: Parked): void {
    this.parked.splice(this.parked.indexOf(parked), 1)
    this.moves += 1
  }

  /** Continues all calls of the instance, and those that follow. */
  open(instance: number): void {
    this.#open.add(instance)
    for (const parked of this.drop(instance)) parked.go()
  }

  /** The calls of all instances wait again. */
  close(): void {
    this.#open.clear()
  }

  /** Removes the waiting calls of an instance. */
  drop(instance: number): Parked[] {
    const dropped = this.parked.filter((parked) => parked.instance === instance)
    for (const parked of dropped) this.take(parked)
    return dropped
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    this.running += 1
    try {
      return await call()
    } finally {
      this.running -= 1
      this.moves += 1
    }
  }
}

/** The connections of one instance. Each command waits before it is sent, and a reply before it is read. */
export class Gate {
  /** Redis refuses connections. */
  isDown = false
  #isDead = false
  #isOpening = false
  #pool: DatabaseConnection['pool'] | undefined
  /** The open connections to PostgreSQL. */
  readonly #clients: PoolClient[] = []
  /** Those in a transaction that PostgreSQL ends when it is idle for longer than a lease. */
  readonly #limited = new Set<PoolClient>()
  readonly #busy = new Set<PoolClient>()
  /** The connections that the model has cut. The server notices it a moment later. */
  readonly #cut = new Set<number>()
  readonly #schedule: Schedule
  readonly #instance: number
  readonly #onFault: () => void

  constructor(schedule: Schedule, instance: number, onFault: () => void) {
    this.#schedule = schedule
    this.#instance = instance
    this.#onFault = onFault
  }

  /** A point at which the instance can be frozen or can die. */
  async park(label: string, lose?: Parked['lose']): Promise<void> {
    if (this.#isOpening) return
    if (!this.#isDead) await this.#schedule.park({ instance: this.#instance, label }, lose)
    // The process ended: nothing of it continues.
    if (this.#isDead) await new Promise(() => undefined)
  }

  kill(): void {
    this.#isDead = true
    this.#schedule.drop(this.#instance)
  }

  /** Cuts transactions that are idle for longer than they may. Returns the pids of all cut connections. */
  endIdle(): number[] {
    const idle = this.#clients.filter(
      (client) => this.#limited.has(client) && !this.#busy.has(client),
    )
    for (const client of idle) this.#cutOff(client)
    const pids = [...this.#cut]
    this.#cut.clear()
    return pids
  }

  /** Cuts all connections. Returns their pids, and those of the connections that were cut before. */
  endAll(): number[] {
    for (const client of this.#clients) this.#cutOff(client)
    return [...this.#cut]
  }

  /** A store without connections: its calls wait. */
  memory(store: IdempotencyStore): IdempotencyStore {
    const pass = async <T>(call: () => Promise<T>): Promise<T> => {
      await this.park('memory before')
      const [result] = await Promise.allSettled([call()])
      await this.park('memory after')
      if (result.status === 'rejected') throw result.reason
      return result.value
    }
    return {
      ...store,
      begin: (...args) => pass(() => store.begin(...args)),
      complete: (...args) => pass(() => store.complete(...args)),
      release: (...args) => pass(() => store.release(...args)),
      renew: (...args) => pass(() => store.renew(...args)),
    }
  }

  redis(connection: RedisConnection, wrap: (client: Redis) => Redis): RedisConnection {
    const send = <T>(command: (client: Redis) => Promise<T>) =>
      this.#schedule.run(() => connection.call((client) => command(wrap(client))))
    const call = async <T>(command: (client: Redis) => Promise<T>): Promise<T> => {
      const way = await this.#waitOrLose('redis before')
      if (way === 'command' || this.isDown) {
        this.#onFault()
        throw new RedisError('unavailable', 'the model refused the command')
      }
      if (way === 'late') {
        // The command arrives after the caller has received its error.
        void this.park('redis late')
          .then(() => send(command))
          .catch(() => undefined)
        throw new RedisError('timeout', 'the model delayed the command')
      }
      const sent = await Promise.allSettled([send(command)])
      const lost = way === 'reply' ? way : await this.#waitOrLose('redis after')
      if (lost !== undefined) throw new RedisError('timeout', 'the model lost the reply')
      if (sent[0].status === 'rejected') throw sent[0].reason
      return sent[0].value
    }
    return { ...connection, call }
  }

  /** Opens connections, and makes each statement wait. A COMMIT waits also before its reply is read. */
  async postgres(database: DatabaseConnection): Promise<DatabaseConnection> {
    database.pool.on('connect', (client) => this.#observe(client))
    this.#isOpening = true
    const clients = await Promise.all([1, 2, 3].map(() => database.pool.connect()))
    for (const client of clients) client.release()
    this.#isOpening = false
    this.#pool = database.pool
    return database
  }

  /** Whether a call waits for a new connection. */
  isConnecting(): boolean {
    return !this.#isDead && (this.#pool?.waitingCount ?? 0) > 0
  }

  #observe(client: PoolClient): void {
    this.#clients.push(client)
    client.once('end', () => this.#forget(client))
    const query: (...args: unknown[]) => unknown = client.query.bind(client)
    const gated = async (args: unknown[]) => {
      const text = textOf(args[0])
      const way = await this.#waitOrLose(`postgres before ${text.slice(0, 12)}`)
      const isCommit = /^\s*commit/i.test(text)
      if (way === 'command' || (way !== undefined && !isCommit)) this.#cutOff(client)
      const [result] = await Promise.allSettled([
        this.#schedule.run(async () => {
          this.#busy.add(client)
          const replied = await query(...args)
          this.#busy.delete(client)
          if (/^\s*(begin|commit|rollback)/i.test(text)) this.#limited.delete(client)
          if (LIMITS.test(text) && (await isLimited(query))) this.#limited.add(client)
          return replied
        }),
      ])
      if (this.#isDead) await new Promise(() => undefined)
      if (result.status === 'rejected') throw result.reason
      const lost = isCommit ? (way ?? (await this.#waitOrLose('postgres after commit'))) : undefined
      if (lost === undefined) return result.value
      this.#cutOff(client)
      // It fails as each call on a lost connection does.
      return query('select 1')
    }
    const replaced = (...args: unknown[]) => {
      const callback = args.at(-1)
      if (typeof callback !== 'function') return gated(args)
      void (async () => {
        const [sent] = await Promise.allSettled([gated(args.slice(0, -1))])
        const failure: unknown = sent.status === 'rejected' ? sent.reason : undefined
        Reflect.apply(
          callback,
          undefined,
          sent.status === 'rejected' ? [failure] : [undefined, sent.value],
        )
      })()
      return undefined
    }
    Object.assign(client, { query: replaced })
  }

  #cutOff(client: PoolClient): void {
    this.#cut.add(pidOf(client))
    client.connection.stream.destroy()
  }

  #forget(client: PoolClient): void {
    this.#clients.splice(this.#clients.indexOf(client), 1)
    this.#limited.delete(client)
  }

  async #waitOrLose(label: string): Promise<'command' | 'reply' | 'late' | undefined> {
    let lost: 'command' | 'reply' | 'late' | undefined
    await this.park(label, (way) => {
      lost = way
      this.#onFault()
    })
    return lost
  }
}

/** Statements that may limit how long their transaction can be idle. */
const LIMITS = /idempotency_lock|idle_in_transaction/

async function isLimited(query: (...args: unknown[]) => unknown): Promise<boolean> {
  const result = await query(
    `select current_setting('idle_in_transaction_session_timeout') as idle`,
  )
  return !JSON.stringify(result).includes('"idle":"0"')
}

function pidOf(client: PoolClient): number {
  return 'processID' in client ? Number(client.processID) : 0
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query
  return typeof query === 'object' && query && 'text' in query ? String(query.text) : ''
}
