import type { FormState } from '../../../forms/form-state.ts'

/** The state of the form of a new key. */
export interface KeyFormState extends FormState {
  /** The scopes that were chosen and refused. */
  scopes?: readonly string[]
  /** The new key, which no other response contains. */
  created?: { text: string; name: string }
}

export const untouchedKey: KeyFormState = { message: null, errors: {}, values: {} }
