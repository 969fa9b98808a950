export type { CallStats, FailureCode } from './calls/call-stats.ts'
export { findUrlFault, parseAddresses, parseRedisUrl, type RedisUrl } from './connection/address.ts'
export { CallTimes, type ObserveCall } from './calls/call-times.ts'
export type { Breaker, BreakerState } from './calls/breaker.ts'
export { connectRedis, type ConnectOptions, type RedisConnection } from './connect.ts'
export {
  isDefect,
  isRedisOutage,
  isSomebodyElses,
  RedisError,
  type RedisErrorCode,
} from './errors.ts'
export { type ConnectionLog, createAnswerLog } from './calls/answer-log.ts'
export {
  connectionFigures,
  type CreateHistogram,
  type ObservedConnection,
  redisFigures,
} from './figures.ts'
export { type Connects, countConnects } from './connection/connects.ts'
export { checkWrites } from './write-check.ts'
export { checkEvictionPolicy, type EvictionPolicy } from './eviction-policy.ts'
export { DEFAULT_PREFIX, isPrefix, keyspace, SHARED_SLOT } from './keys.ts'
export { createRetryStrategy, followRecovery, type Recovery } from './connection/recovery.ts'
export {
  evaluate,
  isUnknownScript,
  runScript,
  type Script,
  script,
  sendBinaryScript,
  sendCommand,
  sendScript,
} from './script.ts'
export { isNoDatabase, openClient, requireDatabase, type Topology } from './connection/topology.ts'
export { limitConnecting, limitSilence } from './connection/watch-connection.ts'
