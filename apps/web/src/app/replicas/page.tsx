import { readView } from '../../api/view.ts'
import { Page } from '../../layout/page.tsx'
import { LiveReplicas } from './live.tsx'

export const metadata = { title: 'Replicas' }

export default async function Replicas() {
  const first = await readView()
  return (
    <Page
      title="Replicas"
      lead="Any instance can serve each of your requests. Load the view again to see which instances answer."
    >
      <LiveReplicas first={first} />
      <noscript>
        <p>
          <a href="/replicas" className="font-semibold underline">
            Reload this page
          </a>
        </p>
      </noscript>
    </Page>
  )
}
