const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

type Query = Record<string, string | string[] | undefined>

/**
 * The key of the form is part of the address of its page. So the form has the same key after a reload,
 * in a copy of the tab, after the back button and when a response was lost, also without scripts. A key
 * is valid for its user only, so it is no secret.
 */
export function formKeyIn(query: Query): string | undefined {
  const { form } = query
  return typeof form === 'string' && UUID.test(form) ? form.toLowerCase() : undefined
}

/** The address of a form. Without a key, the page of the address creates one. */
export function formAddress(key: string): string {
  return `/payments?form=${encodeURIComponent(key)}`
}

/** The address of a new form, below the result of the last one. */
export function resultAddress(paymentId: string, isReplay: boolean): string {
  const result = `${isReplay ? 'again' : 'made'}=${encodeURIComponent(paymentId)}`
  return `${formAddress(crypto.randomUUID())}&${result}`
}
