import { realpathSync } from 'node:fs'
import { docker } from './docker.ts'
import { COMPOSE_DIR, PROJECT, RELEASE_FILE } from './env.ts'

const EX_CONFIG = 78
const DIRECTORY = 'com.docker.compose.project.working_dir'

class RefusedError extends Error {}

/**
 * Runs a command of this package on the stack of this checkout. A fault is one line. The exit
 * code is 78 when the stack belongs to another checkout, and 1 for every other fault.
 */
export async function runCommand(task: () => Promise<void>): Promise<void> {
  try {
    await requireOwnStack()
    await task()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = error instanceof RefusedError ? EX_CONFIG : 1
  }
}

/** @throws RefusedError when the project has no name or its containers belong to another checkout */
async function requireOwnStack(): Promise<void> {
  if (PROJECT === '') {
    throw new RefusedError('COMPOSE_PROJECT_NAME: is not set; run infra/compose/secrets.sh first')
  }
  const filter = `label=com.docker.compose.project=${PROJECT}`
  const format = `{{.Label "${DIRECTORY}"}}`
  const listed = await docker(['ps', '--all', '--filter', filter, '--format', format])
  const ours = realpathSync(COMPOSE_DIR)
  const other = listed.split('\n').find((path) => path !== '' && path !== ours)
  if (other !== undefined) {
    throw new RefusedError(
      `COMPOSE_PROJECT_NAME: the stack ${PROJECT} belongs to the checkout in ${other}; ` +
        `choose another name in ${RELEASE_FILE}`,
    )
  }
}
