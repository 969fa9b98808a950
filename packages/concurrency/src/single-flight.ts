/** Work on one key that is in flight. `createSingleFlight` completes it. */
export interface Flight<T> {
  readonly key: string
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
  /** The outcome of the flight that starts when this one has ended. */
  following: Promise<T> | undefined
}

/** The fields of a flight, for the `create` of a single flight. */
export function createFlight<T>(key: string): Flight<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  return { key, promise, resolve, reject, following: undefined }
}

export interface SingleFlightOptions<T, A, F extends Flight<T>> {
  /** Makes a flight from the key and the argument of the first caller. */
  create: (key: string, argument: A) => F
  /** Starts the work. Its outcome is the returned promise, or a later `complete` or `fail`. */
  start: (flight: F) => Promise<T> | undefined
  /** Runs when a flight has ended, before its callers receive the outcome. */
  onEnd?: (flight: F) => void
  /** Whether the callers of the following flight share this error, so that no flight starts. */
  isErrorShared?: (error: unknown) => boolean
}

export interface SingleFlight<T, A, F extends Flight<T>> {
  /** Joins the flight of the key, or starts one. */
  join(key: string, argument: A): Promise<T>
  /** Joins a flight that starts after this call: its work reads nothing that is older. */
  joinLater(key: string, argument: A): Promise<T>
  /** Ends a flight with a value. */
  complete(flight: F, value: T): void
  /** Ends a flight with an error. */
  fail(flight: F, error: unknown): void
  /** Later callers start another flight; the callers that joined this one receive its outcome. */
  detach(key: string): void
  detachAll(): void
}

/**
 * Runs the work of a key once for all its concurrent callers. Any number of concurrent callers cause
 * one run by `join` and two by `joinLater`: the second run starts when the first run has ended.
 * A flight costs about 1 us, and a caller that joins one costs 0.01 us (`pnpm bench concurrency`).
 */
export function createSingleFlight<T, A = void, F extends Flight<T> = Flight<T>>({
  create,
  start,
  onEnd,
  isErrorShared,
}: SingleFlightOptions<T, A, F>): SingleFlight<T, A, F> {
  const flights = new Map<string, F>()

  function takeOff(key: string, argument: A): Promise<T> {
    const flight = create(key, argument)
    flights.set(key, flight)
    start(flight)?.then(
      (value) => complete(flight, value),
      (error: unknown) => fail(flight, error),
    )
    return flight.promise
  }

  function end(flight: F): void {
    onEnd?.(flight)
    if (flights.get(flight.key) === flight) flights.delete(flight.key)
  }

  function complete(flight: F, value: T): void {
    end(flight)
    flight.resolve(value)
  }

  function fail(flight: F, error: unknown): void {
    end(flight)
    flight.reject(error)
  }

  return {
    join: (key, argument) => flights.get(key)?.promise ?? takeOff(key, argument),
    joinLater(key, argument) {
      const flight = flights.get(key)
      if (!flight) return takeOff(key, argument)
      const startNext = () => takeOff(key, argument)
      flight.following ??= flight.promise.then(startNext, (error: unknown) => {
        if (isErrorShared?.(error)) throw error
        return startNext()
      })
      return flight.following
    },
    complete,
    fail,
    detach: (key) => void flights.delete(key),
    detachAll: () => flights.clear(),
  }
}
