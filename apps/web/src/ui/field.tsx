import { type ComponentProps, useId } from 'react'

const control =
  'w-full min-h-11 rounded-control border border-edge bg-surface px-3 text-base text-ink transition-colors hover:border-ink aria-invalid:border-danger'

interface Labels {
  label: string
  hint?: string | undefined
  error?: string | undefined
}

function useDescription({ hint, error }: Labels) {
  const id = useId()
  const ids = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean)
  return { id, describedBy: ids.length > 0 ? ids.join(' ') : undefined }
}

function Frame({ id, label, hint, error, children }: Labels & ComponentProps<'div'>) {
  return (
    <div className="grid content-start gap-1.5">
      <label htmlFor={id} className="text-sm font-semibold">
        {label}
      </label>
      {children}
      <Description id={id} hint={hint} error={error} />
    </div>
  )
}

function Description({ id, hint, error }: Omit<Labels, 'label'> & { id: string | undefined }) {
  return (
    <>
      {error && (
        <p id={`${id}-error`} className="text-sm font-medium text-danger">
          {error}
        </p>
      )}
      {hint && (
        <p id={`${id}-hint`} className="text-sm text-muted">
          {hint}
        </p>
      )}
    </>
  )
}

/** A labelled input. Screen readers announce its hint and error, with and without scripts. */
export function Field({ label, hint, error, ...rest }: Labels & ComponentProps<'input'>) {
  const { id, describedBy } = useDescription({ label, hint, error })
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        {...rest}
        id={id}
        aria-describedby={describedBy}
        aria-invalid={error ? true : undefined}
        className={control}
      />
    </Frame>
  )
}

/** A labelled native select: it works on a phone and without scripts. */
export function SelectField({ label, hint, error, ...rest }: Labels & ComponentProps<'select'>) {
  const { id, describedBy } = useDescription({ label, hint, error })
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select
        {...rest}
        id={id}
        aria-describedby={describedBy}
        aria-invalid={error ? true : undefined}
        className={control}
      />
    </Frame>
  )
}

interface ChoiceFieldProps extends Labels {
  name: string
  choices: readonly { value: string; label: string }[]
  defaultValue: string
}

/** A choice between a few visible options: native radio buttons in a labelled group. */
export function ChoiceField({ name, choices, defaultValue, ...labels }: ChoiceFieldProps) {
  const { id, describedBy } = useDescription(labels)
  return (
    <fieldset aria-describedby={describedBy} className="grid content-start gap-1.5">
      <legend className="mb-1.5 text-sm font-semibold">{labels.label}</legend>
      <div className="grid auto-cols-fr grid-flow-col gap-3">
        {choices.map(({ value, label }) => (
          <label
            key={value}
            className="flex min-h-11 cursor-pointer items-center gap-3 rounded-control border border-edge bg-surface px-3 transition-colors hover:border-ink has-checked:border-accent has-checked:bg-glow"
          >
            <input
              type="radio"
              name={name}
              value={value}
              defaultChecked={value === defaultValue}
              className="size-4 accent-accent"
            />
            {label}
          </label>
        ))}
      </div>
      <Description id={id} {...labels} />
    </fieldset>
  )
}

interface CheckFieldProps extends Labels {
  name: string
  choices: readonly { value: string; label: string; hint: string }[]
  defaultValues: readonly string[]
}

/** Several options that can be chosen together: native checkboxes in a labelled group. */
export function CheckField({ name, choices, defaultValues, ...labels }: CheckFieldProps) {
  const { id, describedBy } = useDescription(labels)
  return (
    <fieldset aria-describedby={describedBy} className="grid content-start gap-1.5">
      <legend className="mb-1.5 text-sm font-semibold">{labels.label}</legend>
      <div className="grid gap-2">
        {choices.map(({ value, label, hint }) => (
          <label
            key={value}
            className="flex min-h-11 cursor-pointer items-center gap-3 rounded-control border border-edge bg-surface px-3 py-2 transition-colors hover:border-ink has-checked:border-accent has-checked:bg-glow"
          >
            <input
              type="checkbox"
              name={name}
              value={value}
              defaultChecked={defaultValues.includes(value)}
              className="size-4 shrink-0 accent-accent"
            />
            <span className="grid">
              <span className="font-mono text-sm">{label}</span>
              <span className="text-sm text-muted">{hint}</span>
            </span>
          </label>
        ))}
      </div>
      <Description id={id} {...labels} />
    </fieldset>
  )
}
