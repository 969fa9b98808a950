import { join, resolve } from 'node:path'

const {
  COMPOSE_PROJECT_NAME = 'threefold',
  COMPOSE_FILE = 'compose.yaml',
  COMPOSE_ENV_FILES,
  EDGE_PORT = '8080',
  EDGE_URL = `http://localhost:${EDGE_PORT}`,
  ORIGIN = EDGE_URL,
  HEALTHY_WITHIN_S: healthyWithin = '60',
  POOL_SIZE: poolSize = '20',
} = process.env

/** The folder of the compose files. The variables are those that Docker itself reads. */
export const COMPOSE_DIR = join(import.meta.dirname, '../../compose')
export const COMPOSE_FILES = COMPOSE_FILE.split(':')
export const GREEN_FILE = 'compose.blue-green.yaml'
export const PROJECT = COMPOSE_PROJECT_NAME
/** Which release runs; compose reads it by itself. */
export const RELEASE_FILE = resolve(COMPOSE_DIR, COMPOSE_ENV_FILES ?? '.env')

export const EDGE = EDGE_URL
export const PUBLIC_ORIGIN = ORIGIN
/** PostgreSQL connections that PgBouncer may open. */
export const POOL_SIZE = Number(poolSize)
/** How long a new instance may take until it is healthy. */
export const HEALTHY_WITHIN_S = Number(healthyWithin)
