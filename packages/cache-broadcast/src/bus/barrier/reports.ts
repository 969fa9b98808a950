import type { Redis } from 'ioredis'
import type { BusErrors } from '../error-log.ts'
import { tell } from '../log/log-reads.ts'
import { list, runBatch } from '../run-script.ts'
import { applied, readTally } from './tally-scripts.ts'
import { decodeTallyOf, type Tally } from './tally.ts'

export interface ReportsOptions {
  names: string[]
  registration: string
  errors: BusErrors
  /** The one that received the entries: it is there whenever there is something to report. */
  connection: () => Redis | undefined
  /** The same, once it has joined: a position means nothing on a server that was not asked for ours. */
  joined: () => Redis | undefined
}

/** Reports what this member has applied. What is not sent is covered by a later position. */
export function createReports(options: ReportsOptions) {
  const { names, registration, errors } = options

  return {
    /** Answers for one entry; returns whether that was sent. */
    async answer(channel: string, text: string): Promise<boolean> {
      try {
        const isSent = await tell(options.connection(), channel, text)
        errors.succeeded('answer')
        return isSent
      } catch (error) {
        errors.note('answer', error)
        return false
      }
    },
    /** Notes the position of this member, see `applied`; returns the tally where it is requested. */
    async tally(args: (string | number)[]): Promise<string | undefined> {
      const client = options.joined()
      if (client?.status !== 'ready') return undefined
      try {
        const reply = await runBatch(client, applied, names, [registration, ...args])
        errors.succeeded('answer')
        return typeof reply === 'string' ? reply : undefined
      } catch (error) {
        errors.note('answer', error)
        return undefined
      }
    },
    /** Reads who has applied entry `n`; answers that were published before have arrived by then. */
    async lookUp(n: number): Promise<Tally | undefined> {
      const client = options.joined()
      if (client?.status !== 'ready') return undefined
      try {
        return decodeTallyOf(list(await runBatch(client, readTally, names, [n])))
      } catch (error) {
        errors.note('answer', error)
        return undefined
      }
    },
  }
}
