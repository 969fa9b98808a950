import { expect } from '@playwright/test'

/** The number of responses of each instance of an app: `gateway-2, auth-1` counts for both. */
function tally(served: readonly string[], app: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const id of served.flatMap((header) => header.split(', '))) {
    if (id.startsWith(`${app}-`)) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

/** Checks that each of three instances serves between 20 and 47 per cent. */
export function expectSpread(served: readonly string[], app: string): void {
  const counts = tally(served, app)
  const total = counts.values().reduce((sum, count) => sum + count, 0)
  expect([...counts.keys()].toSorted(), `instances of ${app} that served`).toEqual(
    [1, 2, 3].map((n) => `${app}-${n}`),
  )
  for (const [id, count] of counts) {
    const share = (100 * count) / total
    expect(share, `${id} served ${share.toFixed(1)} % of ${total}`).toBeGreaterThanOrEqual(20)
    expect(share, `${id} served ${share.toFixed(1)} % of ${total}`).toBeLessThanOrEqual(47)
  }
}
