/** A pause between two turns of a loop. It can be ended early, also before it begins. */
export function createRest() {
  let isEnded = false
  let wake: (() => void) | undefined

  return {
    async take(ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      wake = resolve
      if (!isEnded) await promise
      isEnded = false
      clearTimeout(timer)
    },
    end(): void {
      isEnded = true
      wake?.()
    },
  }
}
