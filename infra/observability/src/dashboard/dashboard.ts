import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { clusterRow } from './cluster-row.ts'
import { datasource } from './datasource.ts'
import { type Chart, chartPanel } from './panel.ts'
import { stateRow } from './state-row.ts'
import { workRow } from './work-row.ts'

/** The rows of the dashboard by title. */
export const rows: Readonly<Record<string, readonly Chart[]>> = {
  Cluster: clusterRow,
  State: stateRow,
  Work: workRow,
}

/** The queries of the variables and annotations, which read metrics too. */
export const queries = {
  app: 'label_values(threefold_build_info, app)',
  instance: 'label_values(threefold_build_info{app=~"$app"}, instance)',
  /** A version that was not there a minute ago. */
  deploys:
    'count by (app, version) (threefold_build_info) unless count by (app, version) (threefold_build_info offset 1m)',
}

/** The dashboard "Threefold" for Grafana 10 or later. `pnpm generate` writes it as JSON. */
export function threefoldDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('Threefold')
    .uid('threefold')
    .tags(['threefold'])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(variable('app'))
    .withVariable(variable('instance'))
    .annotation(
      new AnnotationQueryBuilder()
        .name('Deploys')
        .datasource(datasource)
        .enable(true)
        .iconColor('blue')
        .expr(queries.deploys)
        .titleFormat('{{app}} {{version}}'),
    )
  for (const [title, charts] of Object.entries(rows)) {
    dashboard.withRow(new RowBuilder(title))
    for (const chart of charts) dashboard.withPanel(chartPanel(chart))
  }
  return dashboard.build()
}

function variable(name: 'app' | 'instance') {
  return new QueryVariableBuilder(name)
    .query(queries[name])
    .datasource(datasource)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .current({ text: 'All', value: '$__all' })
}
