import { readView } from '../../api/view.ts'
import { Page } from '../../layout/page.tsx'
import { LiveReplicas } from './live.tsx'

export const metadata = { title: 'Replicas' }

export default async function Replicas() {
  const first = await readView()
  return (
    <Page
      title="Replicas"
      lead="Nothing ties you to an instance. Have this page served again, and watch who answers."
    >
      <LiveReplicas first={first} />
      <noscript>
        <p>
          <a href="/replicas" className="font-semibold underline">
            Serve this page again
          </a>
        </p>
      </noscript>
    </Page>
  )
}
