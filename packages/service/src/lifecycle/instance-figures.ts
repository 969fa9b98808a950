import type { Figure } from '@repo/observability'
import type { Phase } from '../http/health.ts'

const PHASES: readonly Phase[] = ['starting', 'ready', 'draining']

/** The phase of an instance, its version, its configuration drift and the duration of its start. */
export function instanceFigures({
  version,
  phase,
  bootSeconds,
  hasDrift,
}: {
  version: string
  phase: () => Phase
  /** 0 until the instance is ready. */
  bootSeconds: () => number
  hasDrift: () => boolean
}): Figure[] {
  const gauge = { kind: 'gauge' as const }
  return [
    ...PHASES.map((each) => ({
      ...{ name: 'threefold_instance_phase', help: '1 for the present phase of the instance' },
      ...gauge,
      labels: { phase: each },
      read: () => Number(phase() === each),
    })),
    {
      ...{ name: 'threefold_build_info', help: '1, with the version of the app and of Node.js' },
      ...gauge,
      labels: { version, node: process.version },
      read: () => 1,
    },
    {
      ...{ name: 'threefold_config_drift', help: '1: a shared setting differs on this instance' },
      ...gauge,
      read: () => Number(hasDrift()),
    },
    {
      ...{
        name: 'threefold_instance_boot_seconds',
        help: 'Duration of the start, 0 until it ends',
      },
      ...gauge,
      read: bootSeconds,
    },
  ]
}
