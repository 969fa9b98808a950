export {
  createSessions,
  type Session,
  type Sessions,
  type SessionUser,
  type Validation,
} from './sessions.ts'
