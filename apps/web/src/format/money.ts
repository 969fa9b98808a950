const locale = 'en'

function digitsOf(currency: string) {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency })
  return format.resolvedOptions().maximumFractionDigits ?? 2
}

export type Amount = { outcome: 'ok'; minor: number } | { outcome: 'invalid'; message: string }

/** Parses a typed amount into minor units, digit by digit, so that no float holds an amount. */
export function parseAmount(text: string, currency: string): Amount {
  const match = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim())
  if (!match) return { outcome: 'invalid', message: 'Enter an amount such as 12.50.' }
  const digits = digitsOf(currency)
  const [, whole = '0', fraction = ''] = match
  if (fraction.length > digits) {
    const places = digits === 0 ? 'no decimals' : `at most ${digits} decimals`
    return { outcome: 'invalid', message: `An amount in ${currency} has ${places}.` }
  }
  const minor = Number(whole + fraction.padEnd(digits, '0'))
  if (minor === 0) return { outcome: 'invalid', message: 'Enter an amount above zero.' }
  return { outcome: 'ok', minor }
}

export function formatAmount(minor: number, currency: string) {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency })
  return format.format(minor / 10 ** digitsOf(currency))
}
