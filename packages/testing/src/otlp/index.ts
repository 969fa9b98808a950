export { findUnconnected } from './connected.ts'
export {
  type ReceivedSpan,
  type ReceiverBehaviour,
  startTraceReceiver,
  type TraceReceiver,
} from './trace-receiver.ts'
