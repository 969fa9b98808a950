/** One thing to measure: `run` does it `n` times. */
export interface Subject {
  name: string
  n: number
  run: (n: number) => unknown
}

/** CPU microseconds per operation of this process, least of rounds that take turns. */
export async function leastCpu(
  subjects: Subject[],
  rounds: number,
  settle: () => Promise<void>,
): Promise<Map<string, number>> {
  const least = new Map<string, number>()
  // The first rounds warm up the compiler.
  for (let round = -2; round < rounds; round += 1) {
    for (const { name, n, run } of subjects) {
      // Whoever keeps a connection alive gets its turn: rounds of awaits alone would starve it.
      await settle()
      const before = process.cpuUsage()
      await run(n)
      const { user, system } = process.cpuUsage(before)
      if (round >= 0) least.set(name, Math.min(least.get(name) ?? Infinity, (user + system) / n))
    }
  }
  return least
}

/** Calls `operation` n times, `width` of them at a time. */
export async function inFlight(
  n: number,
  width: number,
  operation: (i: number) => Promise<unknown>,
) {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < n) {
        const i = next
        next += 1
        await operation(i)
      }
    }),
  )
}
