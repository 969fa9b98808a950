/** Counts since the cache was made. */
export interface Stats {
  /** Served from this process. */
  hits: number
  /** Served from Redis. */
  storeHits: number
  /** Runs of the loader, and how many of them failed. */
  loads: number
  loadFailures: number
  /** Served although no longer fresh: while it was loaded anew, or because that failed. */
  staleHits: number
  bridged: number
  /** Loaded, and not stored: invalidated meanwhile, or Redis did not answer. */
  refused: number
  /** Over `maxValueBytes`: served, and stored nowhere. */
  tooLarge: number
  /** Stored values that `parse` refused, or of a format of a later release: loaded again. */
  unreadable: number
  /** Waits for another instance's load, in turns. */
  waits: number
  /** Reads that found Redis away. */
  outages: number
}

export function createStats(): Stats {
  return {
    hits: 0,
    storeHits: 0,
    loads: 0,
    loadFailures: 0,
    staleHits: 0,
    bridged: 0,
    refused: 0,
    tooLarge: 0,
    unreadable: 0,
    waits: 0,
    outages: 0,
  }
}
