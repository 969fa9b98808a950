/** Rests between two turns of a loop that can be ended early, also before they begin. */
export function createRest() {
  let ended = false
  let wake: (() => void) | undefined

  return {
    async take(ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      wake = resolve
      if (!ended) await promise
      ended = false
      clearTimeout(timer)
    },
    end(): void {
      ended = true
      wake?.()
    },
  }
}
