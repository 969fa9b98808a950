import { expect, test } from '@playwright/test'
import { instancesOf } from '../cluster.ts'

const RELEASE_HEADER = 'x-nextjs-deployment-id'

test('every web instance names the same release in the answers to a navigation', async ({
  request,
}) => {
  const releases = await Promise.all(
    instancesOf('web').map(async ({ url }) => {
      const response = await request.get(`${url}/sign-in?_rsc=1`, { headers: { rsc: '1' } })
      return response.headers()[RELEASE_HEADER]
    }),
  )
  expect(new Set(releases).size).toBe(1)
  expect(releases[0]).toMatch(/^[0-9a-f]{12}$/)
})

test('a tab loads the whole page when the answer to a navigation comes from another release', async ({
  page,
}) => {
  await page.goto('/')
  await page.route('**/*', async (route) => {
    if (route.request().headers()['rsc'] === undefined) return route.fallback()
    const response = await route.fetch()
    const headers = { ...response.headers(), [RELEASE_HEADER]: 'another-release' }
    return route.fulfill({ response, headers })
  })
  const documents: string[] = []
  page.on('request', (request) => {
    if (request.isNavigationRequest()) documents.push(new URL(request.url()).pathname)
  })
  await page.getByRole('link', { name: 'Sign in' }).first().click()
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(page).toHaveURL(/\/sign-in/)
  expect(documents).toContain('/sign-in')
})

test('a tab keeps its page when the answer to a navigation comes from its own release', async ({
  page,
}) => {
  await page.goto('/')
  const documents: string[] = []
  page.on('request', (request) => {
    if (request.isNavigationRequest()) documents.push(new URL(request.url()).pathname)
  })
  await page.getByRole('link', { name: 'Sign in' }).first().click()
  await expect(page).toHaveURL(/\/sign-in/)
  expect(documents).toEqual([])
})
