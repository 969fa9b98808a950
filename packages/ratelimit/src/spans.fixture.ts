import type { Span } from './hammer.fixture.ts'

/** How many were surely within one window of this length, wherever it lies. */
export function mostWithin(spans: readonly Span[], windowMs: number): number {
  const ordered = spans.toSorted(([a], [b]) => a - b)
  return Math.max(
    0,
    ...ordered.map(([fromMs], i) => {
      return ordered.slice(i).filter(([, toMs]) => toMs < fromMs + windowMs).length
    }),
  )
}

/** How many surely happened in one window of the clock. */
export function mostInAligned(spans: readonly Span[], windowMs: number, offsetMs: number): number {
  const counts = new Map<number, number>()
  for (const [fromMs, toMs] of spans) {
    // Two ms for reading the two clocks one after the other.
    const first = Math.floor((fromMs + offsetMs - 2) / windowMs)
    const last = Math.floor((toMs + offsetMs + 2) / windowMs)
    if (first === last) counts.set(first, (counts.get(first) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}

/** How many were surely held at the same time. */
export function mostAtOnce(spans: readonly Span[]): number {
  const edges = spans.flatMap(([fromMs, toMs]) => [[fromMs, 1] as const, [toMs, -1] as const])
  let held = 0
  let most = 0
  for (const [, step] of edges.toSorted(([a, x], [b, y]) => a - b || x - y)) {
    held += step
    most = Math.max(most, held)
  }
  return most
}
