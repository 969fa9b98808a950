/** How many keys the checker reads and writes. */
export const KEYS = 12

export interface Opening {
  redisUrl: string
  /** The program to check: of this package, or of a mutant. */
  source: string
  /** The source of truth: 8 digits for each key. */
  truthFile: string
  seed: number
  self: number
  maxStaleMs: number
  /** Answers of Redis are delayed by up to this. */
  slowMs: number
}

export interface Run {
  ms: number
  of: number
  /** Longest pause between two writes of a key. */
  pauseMs: number
  wait?: 'everywhere' | undefined
}

export interface Told {
  /** Key, when the read was started, and the version that it was served. */
  reads: [number, number, number][]
  /** Key, when the write was acknowledged, and the version written. */
  writes: [number, number, number][]
  rejectedReads: number
  retriedWrites: number
  resyncs: number
}

export interface Verdict {
  reads: number
  writes: number
  /** Reads that were served less than was acknowledged before they started. */
  stale: number
  /** The longest that such an acknowledgement was over. */
  worstMs: number
}

/** Judges a history: what each read was served against what was acknowledged before it started. */
export function judge(told: Told[]): Verdict {
  const verdict = { reads: 0, writes: 0, stale: 0, worstMs: 0 }
  for (let key = 0; key < KEYS; key += 1) {
    const writes = of(
      key,
      told.map((it) => it.writes),
    ).toSorted((a, b) => a[1] - b[1])
    const reads = of(
      key,
      told.map((it) => it.reads),
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

function of(key: number, lists: [number, number, number][][]): [number, number, number][] {
  return lists.flat().filter((it) => it[0] === key)
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
