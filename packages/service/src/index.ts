export { boot, type BootOptions, type Context, type Started } from './lifecycle/boot.ts'
export { databaseHost } from './settings/database-url.ts'
export {
  describeSettings,
  type Env,
  EX_CONFIG,
  parseEnv,
  readEnv,
  type SettingDescription,
  sharedSettings,
} from './settings/env.ts'
export {
  digestOf,
  findDrift,
  type Fingerprint,
  type Fingerprinted,
  fingerprintOf,
} from './registry/fingerprint.ts'
export { type Check, type Health, type Phase } from './http/health.ts'
export { type Identity } from './identity/caller.ts'
export {
  CLIENT_IP_HEADER,
  createIdentities,
  type Identities,
  type IdentityCheck,
  identityHeaders,
  type ReceivedRequest,
} from './identity/identity.ts'
export { isRefusedToActors, refusedToActors } from './identity/impersonation.ts'
export { createUserHash } from './identity/user-hash.ts'
export { claimOf, NO_BODY, type SignedRequest, STREAMED_BODY } from './identity/version-2.ts'
export { pathOf } from './http/ops.ts'
export {
  createProblem,
  dataHeaders,
  type Problem,
  problemInstance,
  type ProblemOptions,
  sendProblem,
} from './http/problem.ts'
export {
  createRegistry,
  type Instance,
  instanceSchema,
  type Registry,
  type RegistryOptions,
} from './registry/registry.ts'
export { createSourceCheck, isSafeMethod, type RequestSource } from './http/request-source.ts'
export { type Listener, type UpgradeHandler } from './http/server.ts'
export { transportSecurity } from './http/transport-security.ts'
export {
  acceptedSecrets,
  baseSettings,
  databaseSettings,
  identitySettings,
  origins,
  secret,
  sessionSettings,
  sourceSettings,
  tlsSettings,
} from './settings/settings.ts'
export { receiverUrl, traceEntrySettings } from './settings/trace-settings.ts'
export { redisTopology } from './settings/redis-settings.ts'
