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
export { serveContenders } from './instance.ts'
export type { Target } from './report.ts'
export { estimate, percentile } from './statistics.ts'
