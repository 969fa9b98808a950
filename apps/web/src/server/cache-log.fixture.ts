/** A process with the log of an instance and the cache handler, whose bus is missing: each read fails. */
import { captureConsole, createInstanceLog } from '@repo/observability'
import handler from './cache-handler.ts'

const [reads = '0'] = process.argv.slice(2)
const { log, output } = createInstanceLog({ app: 'web', instance: 'web-1', version: '1.0.0' })
captureConsole(log, console)
process.on('message', () => {
  setInterval(() => output.bufferedBytes() === 0 && process.exit(), 10)
})
for (let read = 0; read < Number(reads); read += 1) await handler.get(`page-${read}`, [])
process.send?.('read')
