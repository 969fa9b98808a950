interface Flight<T> {
  promise: Promise<T>
  /** The one after it, which starts when it has ended. */
  next: Promise<T> | undefined
}

/**
 * One flight per key in this process. A flight that news concerns is detached: those aboard get
 * what it brings, and who comes later starts another (I1).
 */
export function createFlights<T>(start: (key: string) => Promise<T>) {
  const flights = new Map<string, Flight<T>>()

  function takeOff(key: string): Promise<T> {
    const flight: Flight<T> = { promise: fly(key, () => flight), next: undefined }
    flights.set(key, flight)
    return flight.promise
  }

  async function fly(key: string, flight: () => Flight<T>): Promise<T> {
    try {
      return await start(key)
    } finally {
      if (flights.get(key) === flight()) flights.delete(key)
    }
  }

  return {
    /**
     * @param informed whether news would have been heard. Who has not may not join what started
     * before it asked, for that may be too old; all such callers share the flight after.
     */
    board(key: string, informed: boolean): Promise<T> {
      const flight = flights.get(key)
      if (!flight) return takeOff(key)
      if (informed) return flight.promise
      const again = () => takeOff(key)
      flight.next ??= flight.promise.then(again, again)
      return flight.next
    },
    has: (key: string) => flights.has(key),
    detach: (key: string) => void flights.delete(key),
    detachAll: () => flights.clear(),
    get size() {
      return flights.size
    },
  }
}
