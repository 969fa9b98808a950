import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import { datasource } from './datasource.ts'

/** A chart of the dashboard. */
export interface Chart {
  title: string
  /** A unit of Grafana: `s`, `bytes`, `percentunit`, `reqps`, `short`, `ops`, `bool`. */
  unit: string
  /** Begins with `Healthy:` and the range that needs no action. */
  description: string
  /** Each query in PromQL, with the text of its legend. */
  queries: readonly (readonly [expr: string, legend: string])[]
}

/** The selector of the instances that the variables of the dashboard name. */
export const SELECTED = 'app=~"$app", instance=~"$instance"'

const COLUMNS_OF_THREE = 8
const HEIGHT = 8

export function chartPanel({ title, unit, description, queries }: Chart): PanelBuilder {
  const panel = new PanelBuilder()
    .title(title)
    .unit(unit)
    .description(description)
    .datasource(datasource)
    .min(0)
    .fillOpacity(5)
    .span(COLUMNS_OF_THREE)
    .height(HEIGHT)
  for (const [expr, legend] of queries) {
    // Exemplars lead from a slow bucket to its trace.
    const query = new DataqueryBuilder().expr(expr).legendFormat(legend).exemplar(true).range()
    panel.withTarget(query)
  }
  return panel
}
