import { availableParallelism, cpus, loadavg } from 'node:os'
import type { Comparison, Figure } from '../compare.ts'
import { NOTHING } from '../contender.ts'
import type { Estimate } from './statistics.ts'

/** A figure repeats when both bounds of its median are within this share of it. */
const MAX_SPREAD_PERCENT = 25

export interface Target {
  figure: string
  measured: Estimate
  comparison: '<=' | '>='
  target: number
}

/** Less is an idle Redis. */
const MIN_REDIS_US = 0.5

type Row = Record<string, string>

/** A table as Markdown, with columns of equal width, ready for a document. */
function markdownTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {})
  const width = (column: string) =>
    Math.max(column.length, ...rows.map((row) => (row[column] ?? '').length))
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(width(columns[i] ?? ''))).join(' | ')} |`
  return [
    line(columns),
    `| ${columns.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ''))),
  ].join('\n')
}

/** The machine, the server and the time: the value of a figure depends on them. */
export function headOf(name: string, server: string): string {
  const processor = cpus()[0]?.model ?? 'unknown processor'
  const load = loadavg()[0]?.toFixed(1)
  const warning = server.includes('wasm') ? ' (its figures do not count: set REDIS_SERVER)' : ''
  return [
    `${name}: Node ${process.version}, ${server}${warning}, ${availableParallelism()} cores of ${processor}`,
    `load average ${load} before, ${new Date().toISOString()}`,
  ].join(', ')
}

export function comparisonTable(comparison: Comparison): string {
  const { contenders, peer, servers } = comparison
  const isOpen = !Number.isNaN(comparison.figure(contenders[0] ?? '', 'p50Ms').value)
  const hasRedis = contenders.some(
    (name) => comparison.figure(name, 'redisUs').value > MIN_REDIS_US,
  )
  return markdownTable(
    contenders.map((name) => {
      const figures = (figure: Figure) => comparison.figure(name, figure).value
      const ratio = (figure: Figure) =>
        name === peer || name === NOTHING ? '' : ratioText(comparison.ratio(name, figure))
      return {
        [comparison.title]: name,
        'ops/s': number(figures('perSecond')),
        'client µs': number(figures('clientUs')),
        [`of ${peer}`]: ratio('clientUs'),
        ...(hasRedis && {
          [`${servers} µs`]: number(figures('redisUs')),
          [`${servers}, of ${peer}`]: ratio('redisUs'),
        }),
        ...(isOpen && {
          'p50 ms': figures('p50Ms').toFixed(2),
          'p99 ms': figures('p99Ms').toFixed(2),
          'processor %': (comparison.utilisation(name) * 100).toFixed(0),
        }),
        spread: spreadText(comparison.figure(name, 'clientUs')),
      }
    }),
  )
}

export function targetTable(targets: readonly Target[]): string {
  return markdownTable(
    targets.map(({ figure, measured, comparison, target }) => ({
      figure,
      measured: number(measured.value),
      '95 % bound': `${number(measured.low)} to ${number(measured.high)}`,
      target: `${comparison} ${target}`,
      met: isMet({ measured, comparison, target }) ? 'yes' : 'NO',
      repeats: measured.spreadPercent <= MAX_SPREAD_PERCENT ? 'yes' : spreadText(measured),
    })),
  )
}

export function isMet({ measured, comparison, target }: Omit<Target, 'figure'>): boolean {
  return comparison === '<=' ? measured.value <= target : measured.value >= target
}

function ratioText({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)}x (${low.toFixed(2)} to ${high.toFixed(2)})`
}

function spreadText({ spreadPercent }: Estimate): string {
  const text = `${spreadPercent.toFixed(0)} %`
  return spreadPercent > MAX_SPREAD_PERCENT ? `${text}, does not repeat` : text
}

/** Three significant digits, whole above 1,000. */
function number(value: number): string {
  if (!Number.isFinite(value)) return '-'
  return Math.abs(value) >= 1_000
    ? Math.round(value).toLocaleString('en-US')
    : Number(value.toPrecision(3)).toString()
}
