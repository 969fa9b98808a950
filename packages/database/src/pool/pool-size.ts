import { readOptions, requireCount } from '../options.ts'

/**
 * The connections that one instance may open, so that all instances together, one more of each
 * during a rolling change included, stay under what the server grants.
 *
 * @param connections what the server grants to all our instances together
 * @param instances how many instances share them
 * @throws DatabaseOptionError `bad-option`
 */
export function poolSize(options: { connections: number; instances: number }): number {
  const { connections, instances } = readOptions('options', options)
  requireCount('connections', connections, 1)
  requireCount('instances', instances, 1)
  return Math.max(1, Math.floor(connections / instances))
}
