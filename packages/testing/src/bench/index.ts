export {
  type Bench,
  type ClosedSection,
  type HighestSection,
  type OpenSection,
  openBench,
  target,
} from './bench.ts'
export type { Comparison } from './compare.ts'
export type { Contender, InstanceContext, OpenContender } from './contender.ts'
export { serveContenders } from './loop/instance.ts'
export { parseOptions } from './options.ts'
export type { Target } from './report/report.ts'
export { estimate, percentile } from './report/statistics.ts'
