import Link from 'next/link'
import { Page } from '../layout/page.tsx'
import { button } from '../ui/button-look.ts'

export const metadata = { title: 'Not found' }

export default function NotFound() {
  return (
    <Page title="No such page" lead="All three instances looked. None of them has it.">
      <p>
        <Link href="/" prefetch={false} className={button()}>
          Go home
        </Link>
      </p>
    </Page>
  )
}
