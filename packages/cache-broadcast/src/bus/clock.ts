/** Monotonic time in ms. */
export interface Clock {
  /** The time of this turn of the event loop, for a hit in memory. */
  turn(): number
  /** The time now. */
  exact(): number
}

/** Calls that share one reading, so that time advances in a long synchronous loop. */
const READS = 64

/**
 * A clock that is read once per turn of the event loop: a reading costs several times as much as a hit.
 *
 * It is sound for leases. No input reaches the code of a turn after its clock was read, so each hit of
 * the turn is concurrent with it and may be ordered at its start. `nextTick` drops the reading before
 * the next callback of the event loop runs.
 */
export function createClock(read = () => performance.now()): Clock {
  let atMs = 0
  let left = 0
  let isArmed = false

  function drop() {
    left = 0
    isArmed = false
  }

  function refresh(): number {
    atMs = read()
    left = READS
    if (!isArmed) {
      isArmed = true
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
