/** The number of keys that the checker reads and writes. */
export const KEYS = 12

export interface Opening {
  redisUrl: string
  /** The index of the program to check: this package, or a mutant. */
  source: string
  /** The source of truth: 8 digits for each key. */
  truthFile: string
  seed: number
  self: number
  maxStaleMs: number
  /** Replies of Redis are delayed by at most this time. */
  slowMs: number
}

export interface Run {
  ms: number
  /** The number of processes. */
  replicas: number
  /** Longest pause between two writes of a key. */
  pauseMs: number
  wait?: 'everywhere' | undefined
}

/** The calls of one process. */
export interface History {
  /** Key, start of the read, and the version that it returned. */
  reads: [number, number, number][]
  /** Key, time of the acknowledgement, and the version written. */
  writes: [number, number, number][]
  rejectedReads: number
  retriedWrites: number
  resyncs: number
}

export interface Verdict {
  reads: number
  writes: number
  /** Reads that returned an older version than was acknowledged before they started. */
  stale: number
  /** The longest time from such an acknowledgement to the start of the read. */
  worstMs: number
}

/** Compares the version of each read with the versions that were acknowledged before it started. */
export function judge(histories: History[]): Verdict {
  const verdict = { reads: 0, writes: 0, stale: 0, worstMs: 0 }
  for (let key = 0; key < KEYS; key += 1) {
    const writes = callsOf(
      key,
      histories.map((history) => history.writes),
    ).toSorted((a, b) => a[1] - b[1])
    const reads = callsOf(
      key,
      histories.map((history) => history.reads),
    ).toSorted((a, b) => a[1] - b[1])
    verdict.writes += writes.length
    verdict.reads += reads.length
    for (const [, startedAtMs, version] of reads) {
      const missed = writes.find((write) => write[2] > version)
      if (!missed || missed[1] >= startedAtMs) continue
      verdict.stale += 1
      verdict.worstMs = Math.max(verdict.worstMs, startedAtMs - missed[1])
    }
  }
  return verdict
}

function callsOf(key: number, lists: [number, number, number][][]): [number, number, number][] {
  return lists.flat().filter((call) => call[0] === key)
}

/** A seeded generator of [0, 1): mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
