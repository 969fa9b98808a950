import { startPostgres } from '@repo/embedded'
import type { TestProject } from 'vitest/node'

/** Starts the run's PostgreSQL; vitest calls the returned function at the end, failed or not. */
export async function setup(project: TestProject) {
  const postgres = await startPostgres({ maxConnections: 200 })
  project.provide('postgresUrl', postgres.url)
  return () => postgres.stop()
}
