/**
 * The end of one attempt at a target.
 * - `ok`: a response arrived whose status is no error.
 * - `error`: a response with 5xx, except 501 and 505, or a connection that broke.
 * - `refused`: no connection, so the request was not sent.
 * - `timeout`: no response in time, or silence within it.
 * - `aborted`: the client needs no response any more, or another instance responded first.
 */
export type Outcome = 'ok' | 'error' | 'refused' | 'timeout' | 'aborted'

/** The attempts that ended and the ejections of one target, or of all targets beyond the bound. */
export interface TargetCounts extends Record<Outcome, number> {
  /** `host:port`, or `other`. */
  readonly label: string
  ejections: number
}

/** Whether a status is an error of the instance. */
export function isErrorStatus(statusCode: number): boolean {
  return statusCode >= 500 && statusCode !== 501 && statusCode !== 505
}

/**
 * Assigns counts to the targets of one upstream. At most `maxTargets` have their separate counts, so a
 * list of any length has a bounded number of series. The others share one, which never decreases.
 * Targets with the same host and port, in two groups, share their counts too.
 */
export class CountsByTarget {
  readonly #maxTargets: number
  readonly #inUse = new Map<string, { counts: TargetCounts; targets: number }>()
  readonly #other = createCounts('other')

  constructor(maxTargets = 12) {
    this.#maxTargets = maxTargets
  }

  /** Returns the counts for a new target. `release` follows once. */
  assign(origin: string): TargetCounts {
    const label = labelOf(origin)
    const found = this.#inUse.get(label)
    if (found) {
      found.targets += 1
      return found.counts
    }
    if (this.#inUse.size >= this.#maxTargets) return this.#other
    const counts = createCounts(label)
    this.#inUse.set(label, { counts, targets: 1 })
    return counts
  }

  /** Ends the use of counts by a removed target. The last one frees the label. */
  release({ label }: TargetCounts): void {
    const found = this.#inUse.get(label)
    if (!found) return
    found.targets -= 1
    if (found.targets === 0) this.#inUse.delete(label)
  }
}

function createCounts(label: string): TargetCounts {
  return { label, ok: 0, error: 0, refused: 0, timeout: 0, aborted: 0, ejections: 0 }
}

function labelOf(origin: string): string {
  const { hostname, port, protocol } = new URL(origin)
  const defaultPort = protocol === 'https:' ? '443' : '80'
  return `${hostname}:${port || defaultPort}`
}
