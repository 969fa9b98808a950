/** `[kind, instance or choice, detail]`. A step that is not possible at its turn has no effect. */
export type Step = readonly [kind: StepKind, a: number, b: number]

type StepKind = (typeof WEIGHTS)[number][0]

/** How often each kind of step occurs. */
const WEIGHTS = [
  /** A client sends a request: the instance, and `CLIENTS[b]`. */
  ['start', 16],
  /** The chosen call continues to its next point. */
  ['go', 52],
  /** The chosen call fails: its command or its reply is lost. */
  ['lose', 3],
  ['freeze', 4],
  ['thaw', 4],
  ['crash', 3],
  ['restart', 4],
  ['expire', 5],
  /** Redis loses all data. */
  ['flush', 2],
  /** The instance renews its claims. */
  ['renew', 3],
  /** The instance reaches Redis no more, and again. */
  ['down', 1],
  ['up', 2],
] as const

/** The requests of clients: a key, its payload, and the end of the work. */
export const CLIENTS = [
  { key: 0, payload: 0, work: 'ends' },
  { key: 0, payload: 0, work: 'ends' },
  { key: 0, payload: 0, work: 'ends' },
  { key: 0, payload: 0, work: 'throws' },
  { key: 0, payload: 0, work: 'is not stored' },
  { key: 0, payload: 1, work: 'ends' },
  { key: 1, payload: 0, work: 'ends' },
] as const

const INSTANCES = 3

/** The steps of a history, which its seed decides. */
export function historyOf(seed: number): Step[] {
  const random = randomOf(seed)
  const length = 10 + Math.floor(random() * 40)
  const total = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)
  return Array.from({ length }, (): Step => {
    let rest = random() * total
    const [kind] = WEIGHTS.find(([, weight]) => (rest -= weight) < 0) ?? ['go']
    const a = Math.floor(random() * (kind === 'go' || kind === 'lose' ? 12 : INSTANCES))
    return [kind, a, Math.floor(random() * (kind === 'go' ? 4 : CLIENTS.length))]
  })
}

/** A history that hangs takes seconds each time. */
const SHRINK_MS = 30_000

/** Removes steps while the history still fails, and returns the shortest one and its fault. */
export async function shrink(
  steps: readonly Step[],
  fault: string,
  faultOf: (steps: readonly Step[]) => Promise<string | undefined>,
): Promise<{ steps: readonly Step[]; fault: string }> {
  const untilMs = performance.now() + SHRINK_MS
  let shortest = { steps, fault }
  for (const part of [2, 4, 8, 16, Infinity, Infinity]) {
    const size = Math.max(1, Math.floor(steps.length / part))
    for (let from = 0; from < shortest.steps.length;) {
      if (performance.now() > untilMs) return shortest
      const fewer = shortest.steps.toSpliced(from, size)
      const found = await faultOf(fewer)
      if (found === undefined) from += size
      else shortest = { steps: fewer, fault: found }
    }
  }
  return shortest
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
}
