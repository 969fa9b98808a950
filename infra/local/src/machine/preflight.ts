import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { edgeMetricsPort, type InstancePlan, planInstances } from '../cluster/topology.ts'
import { ROOT } from '../state/state.ts'
import type { Options } from '../terminal/options.ts'
import { checkPort } from './ports.ts'

const NODE_MAJOR = 26

/** A cluster cannot start. The message states the reason and the fix. */
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

/** @throws PreflightError that names the ports in use and the options that avoid them */
export async function checkPorts(options: Options, plans: readonly InstancePlan[]): Promise<void> {
  const forbidden = (await checkPort(options.port)) === 'forbidden'
  if (forbidden) {
    throw new PreflightError(
      `this user may not listen on port ${options.port}: choose one above 1023 with --port 8080`,
    )
  }
  const isEdgeFree = (await checkPort(options.port)) === 'free'
  const used = await usedPorts(options, plans)
  const faults = [
    ...(isEdgeFree ? [] : [`port ${options.port} is in use`]),
    ...used.slice(0, 1).map(({ id, port }) => `port ${port}, which ${id} needs, is in use`),
  ]
  if (faults.length === 0) return
  const fix = [
    ...(isEdgeFree ? [] : ['--port', await freeEdgePort(options.port)]),
    ...(used.length === 0 ? [] : ['--ports', await freeInstancePorts(options)]),
  ]
  throw new PreflightError(
    `${faults.join(', and ')}: stop what listens there, or choose another with ${fix.join(' ')}`,
  )
}

interface NeededPort {
  /** The instance, or the part of the edge, that needs the port. */
  id: string
  port: number
}

async function usedPorts(
  options: Options,
  plans: readonly InstancePlan[],
): Promise<readonly NeededPort[]> {
  const needed: NeededPort[] = [...plans, { id: 'edge', port: edgeMetricsPort(options) }]
  const states = await Promise.all(needed.map(({ port }) => checkPort(port)))
  return needed.filter((_, index) => states[index] !== 'free')
}

async function freeEdgePort(from: number): Promise<number> {
  for (let port = from + 1; port < from + 100; port += 1) {
    if ((await checkPort(port)) === 'free') return port
  }
  return from + 100
}

/** A base whose ports are all free. */
async function freeInstancePorts(options: Options): Promise<number> {
  const last = 31_000 // Below the ports that Linux gives to clients.
  for (let base = options.instancePorts + 1_000; base <= last; base += 1_000) {
    const moved = { ...options, instancePorts: base }
    if ((await usedPorts(moved, planInstances(moved))).length === 0) return base
  }
  return last
}
