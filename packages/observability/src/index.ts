export { captureConsole, captureWarnings } from './capture-console.ts'
export { createLineOutput } from './line-output.ts'
export { createInstanceLog, createLog, type Log, logFigures } from './log.ts'
export { createMetrics, type Figure, type Metrics } from './metrics.ts'
export { writeBeforeExit } from './output-target.ts'
export { reasonOf } from './reason.ts'
export {
  currentRequest,
  inRequest,
  noteActor,
  passOn,
  readRequestContext,
  type RequestContext,
} from './request-context.ts'
