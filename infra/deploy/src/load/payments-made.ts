import { askPostgres } from '../stack/postgres.ts'

export interface PaymentsMade {
  /** The number of rows. */
  rows: number
  /** References of payments that were made more than once. */
  doubled: string[]
  /** References that received 201 and are missing. */
  lost: string[]
  /** References that exist although the client received no response, or a failure. */
  unanswered: string[]
}

/** Compares the responses of a load with the rows in PostgreSQL. */
export async function checkPayments(run: string, paid: readonly string[]): Promise<PaymentsMade> {
  const query = `select reference, count(*) from payment where reference like 'load-${run}-%' group by 1`
  const rows = (await askPostgres(query)).split('\n').filter((row) => row !== '')
  const made = new Map(rows.map((row) => row.split(' ')).map(([name = '', n]) => [name, Number(n)]))
  const confirmed = new Set(paid)
  return {
    rows: [...made.values()].reduce((sum, n) => sum + n, 0),
    doubled: [...made].flatMap(([name, n]) => (n > 1 ? [name] : [])),
    lost: paid.filter((name) => !made.has(name)),
    unanswered: [...made.keys()].filter((name) => !confirmed.has(name)),
  }
}
