import { startPostgres, startValkey } from '@repo/embedded'
import { connectPostgres } from '../clients.fixture.ts'
import { serveReplica } from '../replica/replica-program.ts'

export interface Started {
  pids: number[]
  dataDir: string
}

serveReplica({
  async start({ paused }: { paused: boolean }): Promise<Started> {
    const [postgres, valkey] = await Promise.all([startPostgres(), startValkey()])
    const client = await connectPostgres(postgres.url)
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    if (paused) await Promise.all([postgres.pause(), valkey.pause()])
    return { pids: [postgres.pid, valkey.pid], dataDir: rows[0]!.data_directory }
  },
})
