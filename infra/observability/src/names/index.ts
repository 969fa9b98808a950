export { exporterMetrics } from './exporters.ts'
export { missingNames, type NamedMetric } from './missing-names.ts'
