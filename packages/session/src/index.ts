export {
  createSessions,
  type Session,
  type Sessions,
  type SessionsOptions,
  type SessionUser,
  type Validation,
} from './sessions.ts'
