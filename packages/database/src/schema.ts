export { account, session, user, verification } from './schema/auth.ts'
export { payment } from './schema/payments.ts'
