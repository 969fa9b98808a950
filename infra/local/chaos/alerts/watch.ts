import { setTimeout as wait } from 'node:timers/promises'
import type { Prometheus } from '@repo/monitoring/prometheus'
import { progress, type Row } from '../report.ts'

/** The labels that the alert of a scene must have. */
export type Labels = Readonly<Record<string, string>>

export interface Watch {
  rows: Row[]
  /** Waits until no alert with this name and these labels fires, before something breaks. */
  rests(name: string, labels?: Labels): Promise<void>
  /** Waits until the alert fires with these labels. */
  fires(name: string, labels?: Labels): Promise<void>
  /** Waits until no alert with this name and these labels fires. */
  resolves(name: string, labels?: Labels): Promise<void>
}

const EVERY_MS = 250

/** Records how long each alert needs to fire and to resolve, in seconds; NaN when it does not. */
export function createWatch(
  prometheus: Prometheus,
  limits: { firesWithinS: number; resolvesWithinS: number },
): Watch {
  const rows: Row[] = []

  async function isFiring(name: string, labels: Labels): Promise<boolean> {
    const alerts = await prometheus.alerts()
    return alerts.some(
      (alert) =>
        alert.name === name &&
        alert.state === 'firing' &&
        Object.entries(labels).every(([label, value]) => alert.labels[label] === value),
    )
  }

  async function record(
    name: string,
    labels: Labels,
    { wanted, target, verb }: { wanted: boolean; target: number; verb: string },
  ) {
    const startedAtMs = performance.now()
    let seconds = 0
    while ((await isFiring(name, labels)) !== wanted && seconds <= target) {
      await wait(EVERY_MS)
      seconds = (performance.now() - startedAtMs) / 1_000
    }
    const measured = seconds <= target ? seconds : Number.NaN
    progress(`  ${name} ${verb} after ${measured.toFixed(1)} s`)
    rows.push({
      scenario: 'alerts',
      figure: `${name}: ${verb}, in s`,
      measured,
      comparison: '<=',
      target,
    })
  }

  return {
    rows,
    rests: (name, labels = {}) =>
      record(name, labels, { wanted: false, target: limits.resolvesWithinS, verb: 'rests' }),
    fires: (name, labels = {}) =>
      record(name, labels, { wanted: true, target: limits.firesWithinS, verb: 'fires' }),
    resolves: (name, labels = {}) =>
      record(name, labels, { wanted: false, target: limits.resolvesWithinS, verb: 'resolves' }),
  }
}
