import { runCommand } from './command.ts'
import { restartPostgres } from './postgres.ts'
import { say } from './say.ts'

await runCommand(async () =>
  say(`postgres: restarted; queries were held for ${await restartPostgres()} ms`),
)
