import Link from 'next/link'
import { button } from '../../ui/button-look.ts'

const password = 'three-of-everything'
const accounts = [
  { as: 'ada', label: 'Use Ada, a user', email: 'ada@threefold.test', password },
  {
    as: 'grace',
    label: 'Use Grace, an administrator',
    email: 'grace@threefold.test',
    password,
  },
]

export function accountOf(as: unknown) {
  return accounts.find((account) => account.as === as)
}

/** The seeded accounts. Links, not scripts, fill in the form. */
export function DemoAccounts({ next }: { next: string }) {
  return (
    <section
      aria-labelledby="demo"
      className="grid gap-4 rounded-card border border-line bg-sunken p-5"
    >
      <div className="grid gap-1 text-sm">
        <h2 id="demo" className="font-semibold">
          Demo accounts
        </h2>
        <p className="text-muted">
          Both accounts have the password <code className="font-mono text-ink">{password}</code>.
        </p>
      </div>
      <ul className="grid gap-2">
        {accounts.map(({ as, label }) => (
          <li key={as} className="grid">
            <Link
              href={`/sign-in?as=${as}&next=${encodeURIComponent(next)}`}
              prefetch={false}
              className={button({ look: 'outline', size: 'small' })}
            >
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
