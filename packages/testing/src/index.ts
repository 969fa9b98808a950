export { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi } from 'vitest'
export { freePort } from '@repo/embedded'
export { awakeMs } from './awake-ms.ts'
export { blockEventLoop } from './block-event-loop.ts'
export { createAuthority, type TestAuthority, type TestCertificate } from './certificates.ts'
export { contend } from './contend.ts'
export { createDatabase, type TestDatabase } from './stores/database.ts'
export { copyMutant, type Edit, replaceOnce } from './mutant.ts'
export {
  findRawErrors,
  findRawErrorsOfOptions,
  type HostileCheck,
  type HostileValue,
  hostileValues,
} from './hostile-values.ts'
export { makeReadOnly } from './stores/read-only.ts'
export {
  type Exit,
  type Replica,
  type ReplicaOptions,
  endReplicas,
  startReplicas,
} from './replica/replica.ts'
export { type TcpProxy, type TcpProxyOptions, startTcpProxy } from './stores/tcp-proxy.ts'
export { test } from './test.ts'
export { type UntilOptions, until } from './until.ts'
