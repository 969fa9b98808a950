import { DatabaseUnavailableError, isDatabaseUnavailable, sqlStateOf } from '../availability.ts'

/**
 * - `no_connection`, `no_answer`: a call missed its deadline, see `DatabaseUnavailableError`.
 * - `connection`: an open connection broke.
 * - `server`: the server refuses the role or all statements, or shuts down.
 * - `conflict`: a transaction or a lock of another call; a later attempt can succeed.
 * - `constraint`: a constraint or a trigger of the schema refuses the data.
 * - `statement`: any other error of a statement or its data.
 */
export const errorKinds = [
  'no_connection',
  'no_answer',
  'connection',
  'server',
  'conflict',
  'constraint',
  'statement',
] as const

export type ErrorKind = (typeof errorKinds)[number]

/** Serialization failures, deadlocks, and locks that are not available. */
const CONFLICT = /^(40|55P03)/
/** `TF` is the class of the triggers in `migrations`. */
const CONSTRAINT = /^(23|TF)/

/** Sorts an error of a call into a short list of kinds, which is a label of a metric. */
export function errorKindOf(error: unknown): ErrorKind {
  if (error instanceof DatabaseUnavailableError) {
    return error.code === 'no-connection' ? 'no_connection' : 'no_answer'
  }
  const state = sqlStateOf(error)
  if (state === undefined) return isDatabaseUnavailable(error) ? 'connection' : 'statement'
  if (CONFLICT.test(state)) return 'conflict'
  if (CONSTRAINT.test(state)) return 'constraint'
  return isDatabaseUnavailable(error) ? 'server' : 'statement'
}
