/**
 * Runs at most `width` calls at a time. Callers above that share one call that starts after all of
 * them asked: it covers what each of them did before. Of 2,000 callers at once a few calls are made.
 */
export function createSharedFlights<T>(width: number, start: () => Promise<T>): () => Promise<T> {
  let running = 0
  let next: PromiseWithResolvers<T> | undefined

  function land(): void {
    running -= 1
    const shared = next
    if (!shared) return
    next = undefined
    shared.resolve(takeOff())
  }

  function takeOff(): Promise<T> {
    running += 1
    const flight = start()
    flight.then(land, land)
    return flight
  }

  return () => {
    if (running < width) return takeOff()
    next ??= Promise.withResolvers<T>()
    return next.promise
  }
}
