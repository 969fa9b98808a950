import { parse, stringify } from 'yaml'

const UNIT_MS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])
const RANGE = /\[(\d+)(ms|s|m|h)\]/g
const DURATION = /^(\d+)(ms|s|m|h)$/

/**
 * Returns rules whose windows and `for` are shorter by a factor, so that a test sees within minutes
 * what takes hours otherwise. Thresholds stay as they are.
 */
export function quickenRules(rules: string, factor: number): string {
  const divide = (count: string, unit: string) =>
    `${Math.round((Number(count) * (UNIT_MS.get(unit) ?? 0)) / factor)}ms`
  const file: { groups: { rules: { expr: string; for?: string }[] }[] } = parse(rules)
  for (const rule of file.groups.flatMap((group) => group.rules)) {
    rule.expr = rule.expr.replaceAll(
      RANGE,
      (_, count: string, unit: string) => `[${divide(count, unit)}]`,
    )
    const [, count, unit] = DURATION.exec(rule.for ?? '') ?? []
    if (count && unit) rule.for = divide(count, unit)
  }
  return stringify(file, { lineWidth: 0 })
}
