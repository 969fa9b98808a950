/** Monotonic time in ms. */
export interface Clock {
  /** The time of this turn of the event loop: what a hit on the hot path is judged by. */
  turn(): number
  /** The time now. */
  exact(): number
}

/** Reads that share one reading, so that a long synchronous loop sees time pass. */
const READS = 64

/**
 * A clock that is read once a turn, for a reading costs several times what a hit may cost.
 *
 * Sound for leases: nothing from outside reaches the code of a turn after its clock was read, so
 * each of its reads is concurrent with all that happens in the turn, and may be ordered at its
 * start. The reading is dropped by `nextTick`, hence before the next callback from outside runs.
 */
export function createClock(read = () => performance.now()): Clock {
  let atMs = 0
  let left = 0
  let armed = false

  function drop() {
    left = 0
    armed = false
  }

  function refresh(): number {
    atMs = read()
    left = READS
    if (!armed) {
      armed = true
      process.nextTick(drop)
    }
    return atMs
  }

  return {
    turn() {
      if (left === 0) return refresh()
      left -= 1
      return atMs
    },
    exact: read,
  }
}
