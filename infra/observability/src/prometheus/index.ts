export { clusterTargets } from './cluster-targets.ts'
export { quickenRules } from './pace.ts'
export {
  type ActiveAlert,
  type Job,
  type Prometheus,
  startPrometheus,
  type Target,
} from './prometheus.ts'
export { findTools, type Package } from './tools.ts'
