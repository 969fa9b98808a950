import { queries, rows } from '../dashboard/dashboard.ts'
import { readRules } from '../rules/rule-file.ts'

const LABEL_VALUES = /^label_values\((.*), (\w+)\)$/

/** Every expression of the rules and of the dashboard, with the place where it is. */
export function allExpressions(): { place: string; expr: string }[] {
  const { alerts, recordings } = readRules()
  const charts = Object.values(rows).flat()
  return [
    ...recordings.map(({ record, expr }) => ({ place: `the rule ${record}`, expr })),
    ...alerts.map(({ alert, expr }) => ({ place: `the alert ${alert}`, expr })),
    ...charts.flatMap(({ title, queries: ofChart }) =>
      ofChart.map(([expr]) => ({ place: `the panel "${title}"`, expr })),
    ),
    ...Object.entries(queries).map(([name, expr]) => {
      const [, metric, label] = LABEL_VALUES.exec(expr) ?? []
      return { place: `the query ${name}`, expr: metric ? `count by (${label}) (${metric})` : expr }
    }),
  ]
}

/** The series that recording rules make, with the labels that they have. */
export function recordedNames(): string[] {
  return readRules().recordings.map(({ record }) => record)
}
