import type { ProblemOptions } from '../http/problem.ts'
import { isSafeMethod } from '../http/request-source.ts'

/** The routes to which an administrator can write while acting for another user. */
const WRITABLE = new Set(['POST /api/auth/admin/stop-impersonating', 'POST /api/auth/sign-out'])

/** Whether a request is refused when an administrator sends it while acting for another user. */
export function isRefusedToActors(method: string, path: string): boolean {
  return !isSafeMethod(method) && !WRITABLE.has(`${method} ${path}`)
}

/** The problem for such a request. */
export const refusedToActors: ProblemOptions = {
  status: 403,
  code: 'impersonating',
  detail: 'You act for another user and can only read. Stop impersonating to make changes.',
}
