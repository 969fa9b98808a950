export { apiKey } from './schema/api-keys.ts'
export {
  account,
  session,
  sessionPolicy,
  sessionTombstone,
  user,
  verification,
} from './schema/auth.ts'
export { idempotencyKey } from './schema/idempotency.ts'
export { cacheOutbox } from './schema/outbox.ts'
export { ledgerEntry, payment, paymentDelivery } from './schema/payments.ts'
export { setting } from './schema/settings.ts'
