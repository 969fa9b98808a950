import Link from 'next/link'
import * as api from '../api/api.ts'
import { readRequestPath } from '../api/view.ts'
import { Page } from '../layout/page.tsx'
import { button } from '../ui/button-look.ts'
import { RequestPathFigure } from '../ui/request-path-figure.tsx'

const promises = [
  {
    title: 'One sign-in for every instance',
    text: 'A session that one instance creates is valid on all of them. Revoking it ends it on all of them.',
  },
  {
    title: 'An instance can fail',
    text: 'Stop an instance while you use it: another one answers, and the stopped one starts again.',
  },
  {
    title: 'No sticky sessions',
    text: 'The load balancer sends each request to any instance. One instance renders a form, and another one accepts it.',
  },
]

export default async function Home() {
  const [me, path] = await Promise.all([api.me(), readRequestPath()])
  return (
    <Page
      title="Correct with three of everything"
      lead="Threefold runs three instances of each of its services. Every request works on any of them."
    >
      <p className="flex flex-wrap gap-3">
        {me.outcome === 'ok' ? (
          <Link href="/account" prefetch={false} className={button()}>
            Continue as {me.value.user.name}
          </Link>
        ) : (
          <Link href="/sign-up" prefetch={false} className={button()}>
            Create an account
          </Link>
        )}
        <Link href="/replicas" prefetch={false} className={button({ look: 'outline' })}>
          View the replicas
        </Link>
      </p>
      <section
        aria-labelledby="path"
        className="grid gap-6 rounded-card border border-line bg-surface p-5 sm:p-10 lg:grid-cols-[1fr_2fr] lg:items-center"
      >
        <div className="grid gap-3">
          <h2 id="path" className="text-2xl font-semibold tracking-tight">
            The path of this request
          </h2>
          <p className="text-muted">
            These instances served this page. Reload it, and other instances may answer.
          </p>
        </div>
        <RequestPathFigure path={path} id="home" />
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
