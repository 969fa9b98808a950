/**
 * The connections that one instance may open, so that all instances together, one more of each
 * during a rolling change included, stay under what the server grants.
 *
 * @param connections what the server grants to all our instances together
 * @param instances how many instances share them
 */
export function poolSize({ connections, instances }: { connections: number; instances: number }) {
  return Math.max(1, Math.floor(connections / instances))
}
