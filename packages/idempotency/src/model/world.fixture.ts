import { setImmediate as turn } from 'node:timers/promises'
import { until } from '@repo/testing'
import { sql } from 'drizzle-orm'
import type { Claim, IdempotencyStore } from '../store.ts'
import type { Attempt, Once, StoredResponse } from '../types.ts'
import { DRIVERS, type Lane, LEASE_MS, openStore, TTL_MS } from './drivers.fixture.ts'
import { Gate, Schedule } from './gate.fixture.ts'
import { CLIENTS, type Step } from './history.fixture.ts'
import { Reference } from './reference.fixture.ts'
import { watch, WorkError } from './watch.fixture.ts'

/** A request of a client, and its end. */
export interface Client {
  readonly id: string
  readonly key: number
  readonly payload: number
  readonly work: (typeof CLIENTS)[number]['work']
  readonly instance: number
  readonly flushes: number
  runs: number
  end?: { outcome: string; bytes?: string; isAfterFlush: boolean; hasEffect?: boolean }
}

interface Instance {
  readonly gate: Gate
  readonly once: Once
  readonly store: IdempotencyStore
  readonly claims: Set<Claim>
  readonly end: () => Promise<void>
}

/** How long a step waits for calls that a store executes. A call that waits for a lock goes on later. */
const STEP_MS = 40

/** Three instances and the stores of a lane. It runs one history at a time. */
export class World {
  readonly clients: Client[] = []
  readonly effects: Client[] = []
  schedule = new Schedule()
  reference = new Reference(DRIVERS.memory)
  readonly #lane: Lane
  readonly #instances: (Instance | undefined)[] = [undefined, undefined, undefined]
  readonly #frozen = new Set<number>()
  #history = ''
  #mode: 'plain' | 'transaction' = 'plain'
  #flushes = 0

  readonly #patienceMs: number

  /** @param patienceMs how long a request may wait when nothing is in its way */
  constructor(lane: Lane, patienceMs = 30_000) {
    this.#lane = lane
    this.#patienceMs = patienceMs
  }

  /** Begins a history with new keys on three instances. */
  async begin(history: string, seed: number): Promise<void> {
    const rules = DRIVERS[this.#lane.driver]
    this.#history = history
    this.#mode = rules.work[seed % rules.work.length] ?? 'plain'
    this.#flushes = 0
    this.schedule.close()
    this.reference = new Reference(rules)
    this.clients.length = this.effects.length = 0
    for (let i = 0; i < this.#instances.length; i += 1) await this.#restart(i)
  }

  async close(): Promise<void> {
    for (let i = 0; i < this.#instances.length; i += 1) this.schedule.open(i)
    for (const instance of this.#instances) await instance?.end()
    await this.#lane.close()
  }

  async take([kind, a, b]: Step): Promise<void> {
    if (kind === 'start') this.send(a, CLIENTS[b] ?? CLIENTS[0])
    if (kind === 'go') for (let i = 0; i <= b; i += 1) await this.#continue(a)
    if (kind === 'lose') this.#lose(a, b)
    if (kind === 'freeze') this.#frozen.add(a)
    if (kind === 'thaw') this.#frozen.delete(a)
    if (kind === 'crash') await this.#crash(a)
    if (kind === 'restart') await this.#restart(a)
    if (kind === 'expire') await this.#expire()
    if (kind === 'flush') await this.#flush()
    if (kind === 'renew') this.#renew(a)
    if (kind === 'down' || kind === 'up') this.#reach(a, kind === 'up')
    await this.#settle()
  }

  /**
   * Opens one instance while the others hang, and ends all leases. Returns the instance, which then
   * completes each request by itself.
   */
  async openOne(): Promise<number> {
    const free = this.#instances.findIndex((instance, i) => instance && !this.#frozen.has(i))
    const chosen = Math.max(0, free)
    if (free < 0) await this.#crash(chosen)
    await this.#expire()
    await this.#open(chosen)
    await this.#untilEnded(({ instance }) => instance === chosen)
    await this.#expire()
    return chosen
  }

  /** Ends what a failed history leaves behind. */
  async abandon(): Promise<void> {
    for (let i = 0; i < this.#instances.length; i += 1) await this.#crash(i)
  }

  /** Continues all instances until no client waits. */
  async openAll(): Promise<void> {
    for (let i = 0; i < this.#instances.length; i += 1) await this.#open(i)
    await this.#untilEnded(() => true)
  }

  async #open(i: number): Promise<void> {
    this.#frozen.delete(i)
    await this.#restart(i)
    this.#reach(i, true)
    this.schedule.open(i)
  }

  /** @throws Error when a client waits for ever */
  async #untilEnded(isMeant: (client: Client) => boolean): Promise<void> {
    const isOver = () => this.clients.every((client) => client.end || !isMeant(client))
    await until(isOver, {
      timeoutMs: this.#patienceMs,
      everyMs: 1,
      message: 'the end of all requests',
    })
    await this.#settle()
  }

  /** Sends a request on an open instance, and waits for its end. */
  async ask(on: number, request: (typeof CLIENTS)[number]): Promise<Client> {
    const client = this.send(on, request)
    if (!client) throw new Error('the instance does not run')
    await this.#untilEnded((other) => other === client)
    return client
  }

  /** Sends a request, and returns its client. */
  send(on: number, request: (typeof CLIENTS)[number]): Client | undefined {
    const instance = this.#instances[on]
    if (!instance) return undefined
    const id = `${this.#history}-${this.clients.length}`
    const client: Client = { ...request, id, instance: on, flushes: this.#flushes, runs: 0 }
    this.clients.push(client)
    // An error of the model itself, not of the program.
    void this.#run(instance, client).catch((error: unknown) => {
      this.reference.violations.push(String(error))
    })
    return client
  }

  async effectsOf(client: Pick<Client, 'key'> & { id?: string }): Promise<string[]> {
    if (this.#mode === 'plain') {
      const found = this.effects.filter(
        ({ key, id }) => key === client.key && (client.id ?? id) === id,
      )
      return found.map(({ id }) => id)
    }
    const { rows } = await this.#lane.query(
      'select client from model.effect where history = $1 and key = $2 and client = coalesce($3, client)',
      [this.#history, client.key, client.id ?? null],
    )
    return rows.map((row: { client: string }) => row.client)
  }

  get mode() {
    return this.#mode
  }

  async #run({ once, gate }: Instance, client: Client): Promise<void> {
    const { key, payload } = client
    const fingerprint = `${payload}`.repeat(43)
    const request = { scope: this.#history, key: `key-${key}`, fingerprint }
    const isAfterFlush = () => this.#flushes !== client.flushes
    try {
      const finished = await once.run(request, (attempt) => this.#work(gate, client, attempt))
      const bytes = 'response' in finished ? finished.response.body.toString() : undefined
      const { outcome } = finished
      client.end ??= {
        outcome,
        isAfterFlush: isAfterFlush(),
        ...(bytes !== undefined && { bytes }),
      }
    } catch (error) {
      const outcome = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      client.end ??= { outcome, isAfterFlush: isAfterFlush() }
      if (client.end.outcome === 'unavailable') {
        client.end.hasEffect = (await this.effectsOf(client)).length > 0
      }
    }
  }

  async #work(gate: Gate, client: Client, attempt: Attempt): Promise<StoredResponse> {
    client.runs += 1
    await gate.park('work')
    const isStored = client.work === 'ends'
    const body = Buffer.from(client.id)
    const response = { status: isStored ? 201 : 503, headers: ['content-type', 'text/plain'], body }
    if (this.#mode === 'plain') {
      if (client.work === 'throws') throw new WorkError()
      if (isStored) this.effects.push(client)
      await gate.park('effect')
      return response
    }
    return attempt.transaction(async (tx) => {
      await gate.park('transaction')
      if (client.work !== 'ends') throw new WorkError()
      await tx.execute(
        sql`insert into model.effect values (${this.#history}, ${client.key}, ${client.id})`,
      )
      return response
    })
  }

  #choose(choice: number) {
    const { parked } = this.schedule
    const free = parked.filter(({ instance }) => !this.#frozen.has(instance))
    return free[choice % Math.max(1, free.length)]
  }

  async #continue(choice: number): Promise<void> {
    const parked = this.#choose(choice)
    if (!parked) return
    this.schedule.take(parked)
    parked.go()
    await this.#settle()
  }

  #lose(choice: number, way: number): void {
    const parked = this.#choose(choice)
    if (!parked?.lose) return
    this.schedule.take(parked)
    parked.lose((['command', 'reply', 'late'] as const)[way % 3] ?? 'command')
    parked.go()
  }

  async #crash(i: number): Promise<void> {
    const instance = this.#instances[i]
    if (!instance) return
    this.#instances[i] = undefined
    this.#frozen.delete(i)
    instance.gate.kill()
    await instance.end()
    for (const client of this.clients) {
      if (client.instance === i) client.end ??= { outcome: 'died', isAfterFlush: false }
    }
    this.reference.crash(i)
  }

  async #restart(i: number): Promise<void> {
    if (this.#instances[i]) return
    const gate = new Gate(this.schedule, i, () => this.reference.fault(i))
    const { store, end } = await openStore(this.#lane, gate)
    const claims = new Set<Claim>()
    const watched = watch(store, { instance: i, claims, reference: () => this.reference })
    const once = this.#lane.program.createOnce({ store: watched, leaseMs: LEASE_MS, ttlMs: TTL_MS })
    this.#instances[i] = { gate, once, store: watched, claims, end }
  }

  async #expire(): Promise<void> {
    await this.#lane.advance(LEASE_MS + 1)
    const ended = this.#instances.flatMap((instance) => instance?.gate.endIdle() ?? [])
    await this.#lane.end(ended)
    this.reference.expire()
  }

  async #flush(): Promise<void> {
    await this.#lane.flush()
    this.#flushes += 1
    this.reference.flush()
  }

  #renew(i: number): void {
    const instance = this.#instances[i]
    if (!instance || instance.claims.size === 0) return
    void instance.store.renew([...instance.claims], LEASE_MS).catch(() => undefined)
  }

  #reach(i: number, isReachable: boolean): void {
    const instance = this.#instances[i]
    if (instance) instance.gate.isDown = !isReachable
  }

  /** Waits until no call moves any more, except those that wait for a lock. */
  async #settle(): Promise<void> {
    const untilMs = performance.now() + STEP_MS
    for (let quiet = 0; quiet < 3 && performance.now() < untilMs;) {
      const { moves } = this.schedule
      await turn()
      const isConnecting = this.#instances.some((instance) => instance?.gate.isConnecting())
      const isBusy = isConnecting || this.schedule.running > 0
      quiet = !isBusy && this.schedule.moves === moves ? quiet + 1 : 0
    }
  }
}
