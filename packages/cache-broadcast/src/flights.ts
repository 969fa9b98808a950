import type { Ticket, Tickets } from './tickets.ts'

/** A read in progress. It is its own ticket: one object per read. */
export interface Flight<T> extends Ticket {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
  /** The read after this one, which starts when this one has ended. */
  following: Promise<T> | undefined
}

export type Flights<T> = ReturnType<typeof createFlights<T>>

/**
 * One flight per key in this process. An invalidation detaches the flight: the callers that joined it
 * receive its value, and a later caller starts another (I1).
 */
export function createFlights<T>(tickets: Tickets, start: (flight: Flight<T>) => void) {
  const flights = new Map<string, Flight<T>>()

  function takeOff(key: string): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const flight: Flight<T> = {
      key,
      fence: 0,
      next: undefined,
      promise,
      resolve,
      reject,
      following: undefined,
    }
    tickets.add(flight)
    flights.set(key, flight)
    start(flight)
    return promise
  }

  function end(flight: Flight<T>) {
    tickets.close(flight)
    if (flights.get(flight.key) === flight) flights.delete(flight.key)
  }

  return {
    /**
     * @param informed whether this instance receives invalidations. If not, a caller may not join a
     * flight that started before its call, for its value may be too old; all such callers share the
     * flight after it.
     */
    board(key: string, informed: boolean): Promise<T> {
      const flight = flights.get(key)
      if (!flight) return takeOff(key)
      if (informed) return flight.promise
      const again = () => takeOff(key)
      flight.following ??= flight.promise.then(again, again)
      return flight.following
    },
    complete(flight: Flight<T>, value: T): void {
      end(flight)
      flight.resolve(value)
    },
    fail(flight: Flight<T>, error: unknown): void {
      end(flight)
      flight.reject(error)
    },
    has: (key: string) => flights.has(key),
    detach: (key: string) => void flights.delete(key),
    detachAll: () => flights.clear(),
    get size() {
      return flights.size
    },
  }
}
