import Link from 'next/link'
import * as api from '../api/api.ts'
import { readWay } from '../api/view.ts'
import { Page } from '../layout/page.tsx'
import { button } from '../ui/button-look.ts'
import { RequestWay } from '../ui/request-path.tsx'

const promises = [
  {
    title: 'Signed in once, known everywhere',
    text: 'A session opened through one instance is valid on all of them, and revoking it ends it on all of them.',
  },
  {
    title: 'No one is missed',
    text: 'Kill an instance while you use it: another one answers, and the dead one comes back.',
  },
  {
    title: 'Nothing to stick to',
    text: 'The load balancer sends each request where it likes. A form from one instance may be posted to another.',
  },
]

export default async function Home() {
  const [me, way] = await Promise.all([api.me(), readWay()])
  return (
    <Page
      title="Correct with three of everything"
      lead="Threefold is one application, served by three instances of each of its parts: you should never be able to tell which one answered, unless you ask."
    >
      <p className="flex flex-wrap gap-3">
        {me.outcome === 'ok' ? (
          <Link href="/account" prefetch={false} className={button()}>
            Go on as {me.value.user.name}
          </Link>
        ) : (
          <Link href="/sign-up" prefetch={false} className={button()}>
            Make an account
          </Link>
        )}
        <Link href="/replicas" prefetch={false} className={button({ look: 'outline' })}>
          Watch the replicas
        </Link>
      </p>
      <section
        aria-labelledby="way"
        className="grid gap-6 rounded-card border border-line bg-surface p-5 sm:p-10 lg:grid-cols-[1fr_2fr] lg:items-center"
      >
        <div className="grid gap-3">
          <h2 id="way" className="text-2xl font-semibold tracking-tight">
            You asked. These answered.
          </h2>
          <p className="text-muted">
            The way this page came to you. Load it again, and it may well be another.
          </p>
        </div>
        <RequestWay way={way} id="home" />
      </section>
      <ul className="grid gap-8 border-t border-line pt-8 md:grid-cols-3">
        {promises.map(({ title, text }) => (
          <li key={title} className="grid content-start gap-2">
            <h2 className="font-semibold">{title}</h2>
            <p className="text-muted">{text}</p>
          </li>
        ))}
      </ul>
    </Page>
  )
}
