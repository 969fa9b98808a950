const STEP_MS = 10
/** The most that one step counts: a timer of a busy event loop is some ms late. */
const MOST_MS = 25

let countedMs = 0
let lastMs = 0
let timer: NodeJS.Timeout | undefined
/** A test may replace the timers and the clock later. */
const { setInterval: start } = globalThis
const now = performance.now.bind(performance)

function step(): void {
  const nowMs = now()
  countedMs += Math.min(nowMs - lastMs, MOST_MS)
  lastMs = nowMs
}

/**
 * Returns the ms in which this process ran, from any moment on. A pause in which the machine ran other
 * processes counts as at most 25 ms. A promise such as "503 within 2 s" is measured with it: the test of
 * it fails for a wait that is too long, and not for a busy machine. Work that blocks the event loop of
 * this process is not measured either.
 */
export function awakeMs(): number {
  if (!timer) {
    lastMs = now()
    timer = start(step, STEP_MS).unref()
  }
  return countedMs + Math.min(now() - lastMs, MOST_MS)
}
