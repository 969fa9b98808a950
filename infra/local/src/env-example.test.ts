import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ENV_EXAMPLE, renderEnvExample } from './env-example.ts'

test('.env.example is up to date with the schemas; `pnpm env:example` writes it', () => {
  expect(readFileSync(ENV_EXAMPLE, 'utf8')).toBe(renderEnvExample())
})
