import type { Figure } from './figures.ts'

const PHASES = ['starting', 'ready', 'draining'] as const

/** The phase of an instance, its version, its configuration drift and the duration of its start. */
export function instanceFigures({
  version,
  phase,
  bootSeconds,
  hasDrift,
}: {
  version: string
  phase: () => (typeof PHASES)[number]
  /** 0 until the instance is ready. */
  bootSeconds: () => number
  /** Absent for a program that shares no settings with others. */
  hasDrift?: () => boolean
}): Figure[] {
  const inPhase = (each: string) => () => Number(phase() === each)
  const figures = [
    ...PHASES.map((each) =>
      gauge('instance_phase', '1 for the present phase of the instance', inPhase(each), {
        phase: each,
      }),
    ),
    gauge('build_info', '1, with the version of the app and of Node.js', () => 1, {
      version,
      node: process.version,
    }),
    gauge('instance_boot_seconds', 'Duration of the start, 0 until it ends', bootSeconds),
  ]
  if (!hasDrift) return figures
  const drift = () => Number(hasDrift())
  return [...figures, gauge('config_drift', '1: a shared setting differs on this instance', drift)]
}

function gauge(name: string, help: string, read: () => number, labels = {}): Figure {
  return { name: `threefold_${name}`, help, kind: 'gauge', labels, read }
}
