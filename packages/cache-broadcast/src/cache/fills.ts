/** Values of one script: more would occupy Redis for too long. */
const MOST_VALUES = 64
/** Text of one script, in units of UTF-16. A larger value is stored alone. */
const MOST_TEXT = 65_536
/** Scripts in flight. Further values wait, so that they are stored together. */
const SCRIPTS = 8

/** A loaded value, to be stored under its claim. */
export interface Fill {
  key: string
  token: string
  lifeMs: number
  value: string
}

interface Waiting {
  fill: Fill
  resolve: (stored: boolean) => void
  reject: (error: unknown) => void
}

/**
 * Stores the loaded values of one tick together, and those that wait for an answer of Redis: in scripts
 * that stay short, a few at a time.
 * @param commit answers for each value whether it was stored
 */
export function createFills(commit: (fills: Fill[]) => Promise<boolean[]>) {
  let waiting: Waiting[] = []
  let isScheduled = false
  let inFlight = 0

  function send() {
    isScheduled = false
    let from = 0
    while (from < waiting.length && inFlight < SCRIPTS) {
      const to = endOfScript(from)
      void settle(waiting.slice(from, to))
      from = to
    }
    waiting = waiting.slice(from)
  }

  function endOfScript(from: number): number {
    let to = from
    let text = 0
    for (; to < waiting.length && to - from < MOST_VALUES; to += 1) {
      text += waiting[to]?.fill.value.length ?? 0
      if (text > MOST_TEXT && to > from) break
    }
    return to
  }

  async function settle(sent: Waiting[]) {
    inFlight += 1
    try {
      const stored = await commit(sent.map(({ fill }) => fill))
      for (const [i, { resolve }] of sent.entries()) resolve(stored[i] === true)
    } catch (error) {
      for (const { reject } of sent) reject(error)
    } finally {
      inFlight -= 1
      schedule()
    }
  }

  function schedule() {
    if (isScheduled || waiting.length === 0 || inFlight >= SCRIPTS) return
    isScheduled = true
    process.nextTick(send)
  }

  return (fill: Fill): Promise<boolean> =>
    new Promise((resolve, reject) => {
      waiting.push({ fill, resolve, reject })
      schedule()
    })
}
