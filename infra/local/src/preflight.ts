import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ROOT } from './state.ts'
import type { InstancePlan } from './topology.ts'

const NODE_MAJOR = 26

/** Something that must be mended before a cluster can start; the message says how. */
export class PreflightError extends Error {
  override name = 'PreflightError'
}

/** @throws PreflightError when a tool is missing or too old */
export function checkTools(): string {
  const major = Number(process.versions.node.split('.', 1)[0])
  if (major < NODE_MAJOR) {
    throw new PreflightError(
      `this runs on Node.js ${process.versions.node}, not on the ${NODE_MAJOR} that the project installs: run \`npx -y pnpm@12 install\`, then \`npx -y pnpm@12 start\``,
    )
  }
  if (!existsSync(join(ROOT, 'apps/web/node_modules/next'))) {
    throw new PreflightError('the packages are not installed: run `npx -y pnpm@12 install`')
  }
  return process.versions.node
}

/** @throws PreflightError naming the first port that something else listens on */
export async function checkPorts(edgePort: number, plans: readonly InstancePlan[]): Promise<void> {
  if (!(await isFree(edgePort))) {
    throw new PreflightError(
      `port ${edgePort} is in use: stop what listens there, or choose another with --port ${edgePort + 1}`,
    )
  }
  for (const { id, port } of plans) {
    if (await isFree(port)) continue
    throw new PreflightError(`port ${port}, which ${id} needs, is in use: stop what listens there`)
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
