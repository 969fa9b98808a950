/** A figure beside its target. */
export interface Row {
  scenario: string
  figure: string
  measured: number
  comparison: '<=' | '>='
  target: number
}

export function isMet({ measured, comparison, target }: Row): boolean {
  return comparison === '<=' ? measured <= target : measured >= target
}

export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const measured = Number(row.measured.toPrecision(4))
    const met = isMet(row) ? 'yes' : 'NO'
    return `| ${row.scenario} | ${row.figure} | ${measured} | ${row.comparison} ${row.target} | ${met} |`
  })
  const head = [
    '| scenario | figure | measured | target | met |',
    '| --- | --- | --- | --- | --- |',
  ]
  return [...head, ...lines].join('\n')
}

/** The value below which this share of the numbers is; NaN for no numbers. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(numbers: readonly number[]): number {
  return percentile(numbers, 0.5)
}

export function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}
