import { runCommand } from './stack/command.ts'
import { restartPostgres } from './stack/postgres.ts'
import { say } from './stack/say.ts'

await runCommand(async () =>
  say(`postgres: restarted; queries were held for ${await restartPostgres()} ms`),
)
