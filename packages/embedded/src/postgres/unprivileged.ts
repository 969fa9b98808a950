import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The user `nobody` of Linux. PostgreSQL refuses to run as root, and no user is added for it. */
export const NOBODY = 65_534
export const isRoot = process.getuid?.() === 0

/**
 * Creates a command line that runs a program as another user if this process is root. The capability lets
 * the program reach data in a folder that only root can enter, such as /root.
 *
 * @throws Error when the machine has no `setpriv`
 */
export async function asUser(
  uid: number,
  program: string,
  args: string[],
): Promise<[file: string, ...args: string[]]> {
  if (!isRoot) return [program, ...args]
  reach ??= findReach()
  const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups']
  return ['setpriv', ...user, ...(await reach), program, ...args]
}

const REACH = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override']
let reach: Promise<string[]> | undefined

/** In a container, the capability can be missing: the user needs access to the data directory. */
async function findReach(): Promise<string[]> {
  try {
    await run('setpriv', ['--version'])
  } catch (error) {
    throw new Error(
      'PostgreSQL does not run as root, and `setpriv` (package util-linux), which runs it as another user, is missing: install it, start as another user, or set DATABASE_URL',
      { cause: error },
    )
  }
  const user = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups']
  const works = await run('setpriv', [...user, ...REACH, 'setpriv', '--version']).then(
    () => true,
    () => false,
  )
  return works ? REACH : []
}
