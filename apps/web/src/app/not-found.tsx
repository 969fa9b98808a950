import Link from 'next/link'
import { Page } from '../layout/page.tsx'
import { button } from '../ui/button-look.ts'

export const metadata = { title: 'Page not found' }

export default function NotFound() {
  return (
    <Page title="Page not found" lead="No page has this address.">
      <p>
        <Link href="/" prefetch={false} className={button()}>
          Go to the home page
        </Link>
      </p>
    </Page>
  )
}
