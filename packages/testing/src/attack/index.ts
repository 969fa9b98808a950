export type { Check, Front, Kind } from './check.ts'
export { attackChecks } from './checks/index.ts'
export { type Recorder, startRecorder } from './recorder.ts'
export { type Outcome, runChecks, type Target } from './run-checks.ts'
