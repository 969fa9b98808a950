export function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN
}

/** A line of the report: what was measured, and whether it is within its target. */
export function line(what: string, measured: string, target: string, met: boolean | undefined) {
  return { what, measured, target, met: met === undefined ? '' : met ? 'yes' : 'NO' }
}
