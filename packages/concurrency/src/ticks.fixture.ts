import type { TickSource } from './awake-ticks.ts'

/** Ticks that a test runs by hand: `tick` is one period, `poll` lets the event loop read its sockets. */
export function createManualTicks() {
  const running = new Set<() => void>()
  const afterPoll: (() => void)[] = []
  let armed = 0

  function poll(): void {
    for (const work of afterPoll.splice(0)) work()
  }

  function tick(count = 1): void {
    for (let i = 0; i < count; i += 1) for (const run of [...running]) run()
  }

  const source: TickSource = {
    every(_ms, run) {
      running.add(run)
      armed += 1
      return () => void running.delete(run)
    },
    afterPoll: (work) => void afterPoll.push(work),
  }
  return { source, tick, poll, running: () => running.size, armed: () => armed }
}
