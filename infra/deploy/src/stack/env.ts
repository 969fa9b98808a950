import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'

/** The folder of the compose files. */
export const COMPOSE_DIR = join(import.meta.dirname, '../../../compose')
/** The settings and the release of this stack; compose reads the file by itself. */
export const RELEASE_FILE = resolve(COMPOSE_DIR, process.env['COMPOSE_ENV_FILES'] ?? '.env')

// As with Docker, a variable of the environment overrides the same variable of the file.
const written = existsSync(RELEASE_FILE) ? parseEnv(readFileSync(RELEASE_FILE, 'utf8')) : {}
const {
  COMPOSE_PROJECT_NAME = '',
  COMPOSE_FILE = 'compose.yaml',
  EDGE_PORT = '8080',
  EDGE_URL = `http://localhost:${EDGE_PORT}`,
  ORIGIN = EDGE_URL,
  HEALTHY_WITHIN_S: healthyWithin = '60',
  SERVES_WITHIN_MS: servesWithin = '1000',
  START_ATTEMPTS: attempts = '2',
  POOL_SIZE: poolSize = '20',
  DRILL_RATE: rate = '100',
} = { ...written, ...process.env }

export const COMPOSE_FILES = COMPOSE_FILE.split(':')
export const GREEN_FILE = 'compose.blue-green.yaml'
/** Empty before `secrets.sh` has named the project. */
export const PROJECT = COMPOSE_PROJECT_NAME

export const EDGE = EDGE_URL
export const PUBLIC_ORIGIN = ORIGIN
/** PostgreSQL connections that PgBouncer may open. */
export const POOL_SIZE = Number(poolSize)
/** Requests per second in a drill: a rate that this machine can serve. */
export const RATE_PER_SECOND = Number(rate)
/** The deadline for a new instance to be healthy and to serve well, in s. */
export const HEALTHY_WITHIN_S = Number(healthyWithin)
/** The slowest response with which an instance serves well, in ms. */
export const SERVES_WITHIN_MS = Number(servesWithin)
/** The number of starts of a new instance before a change is aborted. */
export const START_ATTEMPTS = Number(attempts)
