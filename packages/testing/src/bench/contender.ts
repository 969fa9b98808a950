/** One candidate, opened in an instance process. */
export interface Contender {
  /**
   * One operation; `i` counts up from 0 over all operations of this instance. A rejection ends the
   * measurement: figures of failed operations mean nothing.
   */
  run: (i: number) => unknown
  /**
   * For operations of nanoseconds, closed loop only: runs `n` operations in its loop, which is
   * not awaited when it returns nothing.
   */
  batch?: (n: number) => Promise<unknown> | undefined
  /** Before each round, for instance until a lease is fresh that a busy loop would not renew. */
  settle?: () => Promise<unknown>
  close?: () => unknown
}

export interface InstanceContext {
  redisUrl: string
  /** From 0. */
  instance: number
  instances: number
}

export type OpenContender = (context: InstanceContext) => Contender | Promise<Contender>

/** The contender that does nothing: the cost of the generator and the idle process. */
export const NOTHING = 'nothing (generator alone)'

/** The measurements of one instance in one round. */
export interface InstanceRound {
  operations: number
  elapsedMs: number
  /** CPU of the process, without the thread that generates arrivals. */
  cpuUs: number
  /** From the intended arrival to the result; empty in a closed loop. */
  latenciesMs: Float64Array
}

export interface ClosedOrder {
  inFlight: number
  ms: number
}

export interface OpenOrder {
  /** Arrivals per second at this instance. */
  rate: number
  ms: number
}
