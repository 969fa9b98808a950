import { DatabaseUnavailableError } from '@repo/database'

/**
 * One call per key at a time. Who asks while one is running shares the one after it: what began
 * before they asked may have read what is not true any more. If PostgreSQL does not answer within the
 * deadline, they share that failure instead of waiting for another deadline.
 */
export function createLaterFlights<T>(start: (key: string, token: string) => Promise<T>) {
  const running = new Map<string, Promise<T>>()
  const next = new Map<string, Promise<T>>()

  function takeOff(key: string, token: string): Promise<T> {
    next.delete(key)
    const flight = start(key, token)
    running.set(key, flight)
    const land = () => {
      if (running.get(key) === flight) running.delete(key)
    }
    flight.then(land, land)
    return flight
  }

  return (key: string, token: string): Promise<T> => {
    const before = running.get(key)
    if (!before) return takeOff(key, token)
    const planned = next.get(key)
    if (planned) return planned
    const again = () => takeOff(key, token)
    const after = before.then(again, (error: unknown) => {
      if (!(error instanceof DatabaseUnavailableError)) return again()
      next.delete(key)
      throw error
    })
    next.set(key, after)
    return after
  }
}
