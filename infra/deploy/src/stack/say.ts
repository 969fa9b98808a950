const began = performance.now()

/** Prints one line per step, with the seconds since the start. */
export function say(text: string): void {
  const seconds = ((performance.now() - began) / 1_000).toFixed(1).padStart(6)
  process.stdout.write(`${seconds} s  ${text}\n`)
}

/** Runs a step and returns its duration in seconds, with one decimal. */
export async function timed(step: () => Promise<unknown>): Promise<string> {
  const start = performance.now()
  await step()
  return ((performance.now() - start) / 1_000).toFixed(1)
}
