import type { Setting } from '@repo/api'
import { redirect } from 'next/navigation'
import * as api from '../../api/api.ts'
import { ago, inUtc } from '../../format/time.ts'
import { Page } from '../../layout/page.tsx'
import { Card } from '../../ui/card.tsx'
import { Unavailable } from '../../ui/unavailable.tsx'
import { SettingForm } from './form.tsx'

export const metadata = { title: 'Settings' }

const titles = { announcement: 'Announcement', payments: 'Payments' }
const lead = 'A change is in force on every instance when the form confirms it.'

export default async function Settings() {
  const answer = await api.featureSettings()
  if (answer.outcome === 'signed-out') redirect('/sign-in?next=/settings')
  if (answer.outcome === 'forbidden') {
    return (
      <Page title="Settings">
        <p className="text-muted">Only administrators can view settings.</p>
      </Page>
    )
  }
  if (answer.outcome !== 'ok') {
    const retryAfterSeconds = answer.outcome === 'unavailable' ? answer.retryAfterSeconds : 10
    return (
      <Page title="Settings" lead={lead}>
        <Unavailable retryAfterSeconds={retryAfterSeconds} />
      </Page>
    )
  }

  const { settings } = answer.value
  return (
    <Page title="Settings" lead={lead}>
      {settings.length === 0 && (
        <p className="rounded-control bg-sunken px-4 py-8 text-center text-muted">
          This release has no settings.
        </p>
      )}
      <div className="grid gap-6 lg:grid-cols-2 lg:items-start">
        {settings.map((setting) => (
          <Card key={setting.name} id={setting.name} title={titles[setting.name]}>
            <SettingForm {...setting} hint={sentence(setting.description)} />
            <LastChange setting={setting} now={new Date()} />
          </Card>
        ))}
      </div>
    </Page>
  )
}

function LastChange({ setting, now }: { setting: Setting; now: Date }) {
  const { updatedAt, updatedBy } = setting
  if (!updatedAt) return <p className="text-sm text-muted">This setting has its default value.</p>
  return (
    <p className="text-sm text-muted">
      Changed by {updatedBy ?? 'a deleted user'}{' '}
      <time dateTime={updatedAt.toISOString()} title={inUtc(updatedAt)}>
        {ago(updatedAt, now)}
      </time>
    </p>
  )
}

function sentence(text: string) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
