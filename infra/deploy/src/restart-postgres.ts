import { restartPostgres } from './postgres.ts'
import { say } from './say.ts'

say(`postgres: restarted; queries were held for ${await restartPostgres()} ms`)
