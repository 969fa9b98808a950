export { boot, type BootOptions, type Context, type Started } from './boot.ts'
export { databaseHost } from './database-url.ts'
export {
  describeSettings,
  type Env,
  EX_CONFIG,
  parseEnv,
  readEnv,
  type SettingDescription,
  sharedSettings,
} from './env.ts'
export {
  digestOf,
  findDrift,
  type Fingerprint,
  type Fingerprinted,
  fingerprintOf,
} from './fingerprint.ts'
export { type Check, type Health, type Phase } from './health.ts'
export {
  createIdentities,
  type Identities,
  type Identity,
  IDENTITY_HEADER,
  type IdentityCheck,
  type SignedRequest,
} from './identity.ts'
export { isRefusedToActors, refusedToActors } from './impersonation.ts'
export { pathOf } from './ops.ts'
export { createProblem, type Problem, type ProblemOptions, sendProblem } from './problem.ts'
export {
  createRegistry,
  type Instance,
  instanceSchema,
  type Registry,
  type RegistryOptions,
} from './registry.ts'
export { createSourceCheck, isSafeMethod, type RequestSource } from './request-source.ts'
export { type Listener } from './server.ts'
export {
  acceptedSecrets,
  baseSettings,
  databaseSettings,
  origins,
  secret,
  sessionSettings,
  sourceSettings,
} from './settings.ts'
export { redisTopology } from './redis-settings.ts'
