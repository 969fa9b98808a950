export { currencies } from './currencies.ts'
export { type AuthEndpoint, type AuthRequest, authRequests } from './requests/auth.ts'
export { type NewKey, newKey } from './requests/keys.ts'
export { type BlockRequest, blockRequest, limitSubject } from './requests/limits.ts'
export { type PaymentOrder, paymentOrder } from './requests/payments.ts'
export { featureSettings, type SettingName, settingRequests } from './requests/settings.ts'
export { type ResponseBody } from './response-body.ts'
export { authResponses, authSession, authUser } from './responses/auth.ts'
export { cluster, type Instance, instance } from './responses/cluster.ts'
export { type ApiKey, apiKey, apiKeys, createdKey } from './responses/keys.ts'
export { type Limits, limits, limitsChange } from './responses/limits.ts'
export { type Me, me } from './responses/me.ts'
export { observability } from './responses/observability.ts'
export { type Payment, payment, payments } from './responses/payments.ts'
export { problem } from './responses/problem.ts'
export { type Revocation, revocation, type Session, sessions } from './responses/sessions.ts'
export {
  type Delivery,
  type PublicSettings,
  publicSettings,
  type Setting,
  settingChange,
  settings,
} from './responses/settings.ts'
export { type User, users } from './responses/users.ts'
export { type Scope, scopes } from './scopes.ts'
