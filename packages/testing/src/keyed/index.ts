export {
  callKeyed,
  type Habit,
  HABITS,
  type KeyedCall,
  type KeyedResponse,
  type SendKeyed,
} from './keyed-call.ts'
export { type KeyedLoop, startKeyedLoop } from './keyed-loop.ts'
export { keyedHeaders, type KeyedPost, sendKeyed } from './send-keyed.ts'
export { judgeKeyed, type KeyedVerdict } from './verdict.ts'
