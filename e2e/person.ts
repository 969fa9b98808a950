import { randomUUID } from 'node:crypto'
import { type APIRequestContext, expect, type Page } from '@playwright/test'
import { EDGE } from './cluster.ts'

export interface Person {
  name: string
  email: string
  password: string
}

export const administrator = {
  email: 'grace@threefold.test',
  password: 'three-of-everything',
}

/** A person without an account. */
export function newPerson(): Person {
  const id = randomUUID().slice(0, 8)
  return { name: `Person ${id}`, email: `${id}@example.test`, password: `password-of-${id}` }
}

/** Signs up through the form, which leads to the account page. */
export async function signUp(page: Page, { name, email, password }: Person): Promise<void> {
  await page.goto('/sign-up?next=/account')
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page).toHaveURL(/\/account/)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name)
}

/** Signs in through the API; the context stores the cookie. */
export async function signIn(
  request: APIRequestContext,
  { email, password }: Pick<Person, 'email' | 'password'>,
) {
  return request.post(`${EDGE}/api/auth/sign-in/email`, {
    data: { email, password },
    headers: { origin: EDGE },
  })
}

/** Signs up through the API; the context stores the cookie. */
export async function register(request: APIRequestContext, person: Person): Promise<void> {
  const response = await request.post(`${EDGE}/api/auth/sign-up/email`, {
    data: person,
    headers: { origin: EDGE },
  })
  expect(response.status(), await response.text()).toBe(200)
}
