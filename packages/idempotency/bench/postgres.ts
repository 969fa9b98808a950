import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connectDatabase, migrateDatabase } from '@repo/database'
import { processTree, startPostgres } from '@repo/embedded'
import { TABLES } from './transactions.ts'

/** A PostgreSQL that writes each commit to the disk, with the tables of the bench. */
export async function startBenchPostgres() {
  // A temporary cluster of `startPostgres` has no fsync, which would make a second commit too cheap.
  const dataDir = await mkdtemp(path.join(tmpdir(), 'threefold-bench-'))
  const postgres = await startPostgres({ dataDir })
  const { url } = postgres
  await migrateDatabase({ url })
  const { pool, close } = connectDatabase({ url, name: 'bench', poolSize: 1, deadlineMs: 20_000 })
  await pool.query(TABLES)
  const usedNs = new Map<number, number>()
  return {
    url,
    /** Bytes of a table with its indexes. */
    async bytesOf(table: string): Promise<number> {
      const text = 'select pg_total_relation_size($1::regclass)::int8 as bytes'
      const { rows } = await pool.query<{ bytes: string }>(text, [table])
      return Number(rows[0]?.bytes)
    },
    /** CPU of all processes since the start, in microseconds. Those that have ended count as last read. */
    async cpuUs(): Promise<number> {
      for (const pid of await processTree(postgres.pid)) usedNs.set(pid, readUsedNs(pid))
      return usedNs.values().reduce((sum, ns) => sum + ns, 0) / 1_000
    },
    async stop(): Promise<void> {
      await close()
      await postgres.stop()
      await rm(dataDir, { recursive: true })
    },
  }
}

/** The first field of schedstat is the time on a processor, in ns: `stat` has steps of 10 ms. */
function readUsedNs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ', 1)[0])
}
