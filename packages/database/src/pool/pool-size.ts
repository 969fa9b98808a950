import { readOptions, requireCount } from '../options.ts'

/**
 * Returns the number of connections of one instance, so that all instances together stay within the
 * connections of the server.
 *
 * @param connections the connections that the server grants to all instances together
 * @param instances the number of instances, including the extra ones of a rolling change
 * @throws DatabaseOptionError `bad-option`
 */
export function poolSize(options: { connections: number; instances: number }): number {
  const { connections, instances } = readOptions('options', options)
  requireCount('connections', connections, 1)
  requireCount('instances', instances, 1)
  return Math.max(1, Math.floor(connections / instances))
}
