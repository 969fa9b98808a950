import { askPostgres } from '../stack/postgres.ts'

export interface PaymentsMade {
  /** Made more than once. */
  doubled: string[]
  /** Answered 201, and not there. */
  lost: string[]
  /** There, though the client was told nothing or that it failed. */
  unanswered: string[]
}

/** Holds what a load was told against the rows that PostgreSQL has. */
export async function checkPayments(run: string, paid: readonly string[]): Promise<PaymentsMade> {
  const query = `select reference, count(*) from payment where reference like 'load-${run}-%' group by 1`
  const rows = (await askPostgres(query)).split('\n').filter((row) => row !== '')
  const made = new Map(rows.map((row) => row.split(' ')).map(([name = '', n]) => [name, Number(n)]))
  const told = new Set(paid)
  return {
    doubled: [...made].flatMap(([name, n]) => (n > 1 ? [name] : [])),
    lost: paid.filter((name) => !made.has(name)),
    unanswered: [...made.keys()].filter((name) => !told.has(name)),
  }
}
