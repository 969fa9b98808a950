/**
 * The cost of metrics, of the log line of a request, and of traces: `pnpm bench observability [--only TEXT]
 * [--rounds N] [--ms N] [--json]`. Each part is a process, so that the compiled code of one part does not
 * change the figures of another. With `--json`, each table is one line.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const programs = [
  new URL('metrics.ts', import.meta.url),
  new URL('request-line.ts', import.meta.url),
  new URL('traces.ts', import.meta.url),
]
for (const program of programs) {
  const child = spawn(process.execPath, [program.pathname, ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) process.exit(typeof code === 'number' ? code : 1)
}
