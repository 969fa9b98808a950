export { captureConsole, captureWarnings } from './capture-console.ts'
export { createLineOutput } from './line-output.ts'
export { createInstanceLog, createLog, type Log, logFigures, logRequest } from './log.ts'
export { createMetrics, type Figure, type Metrics } from './metrics.ts'
export { writeBeforeExit } from './output-target.ts'
export { reasonOf } from './reason.ts'
export { type ServedRequest } from './request-log.ts'
export {
  createSampler,
  currentRequest,
  inRequest,
  noteActor,
  noteCountry,
  passOn,
  readRequestContext,
  type RequestContext,
  type SampleTrace,
} from './request-context.ts'
