import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Service } from '../service.ts'
import { services } from '../services.ts'
import { replaceBlocks } from './generated-file.ts'
import { generatedFiles } from './generated-files.ts'

const ROOT = join(import.meta.dirname, '../../../..')

test('every generated file is up to date with the list of services; `pnpm generate` writes them', () => {
  const files = generatedFiles(ROOT, services)
  expect(files.length).toBeGreaterThanOrEqual(11)
  for (const { path, current, expected } of files) expect(current, path).toBe(expected)
})

test('a service that is removed from the list is in no generated file', () => {
  const others = services.filter(({ name }) => name !== 'payments')
  for (const { path, expected } of generatedFiles(ROOT, others)) {
    expect(generatedPart(path, expected), path).not.toMatch(/payments/i)
  }
})

test('a service with another number has other ports in every generated file that names ports', () => {
  const changed: Service[] = services.map((service) =>
    service.name === 'payments' ? { ...service, number: 7 } : service,
  )
  const files = generatedFiles(ROOT, changed)
  for (const { path, expected } of files) {
    expect(generatedPart(path, expected), path).not.toMatch(/3004|8401|44[01]1/)
  }
  const withPorts = files.filter(({ expected }) => /3007|8701|47[01]1/.test(expected))
  expect(withPorts.map(({ path }) => path)).toEqual([
    'infra/compose/compose.yaml',
    'infra/compose/compose.blue-green.yaml',
    'infra/edge/haproxy.cfg',
    'infra/edge/nginx.conf',
    'apps/gateway/src/upstreams/services.ts',
    'docs/architecture.md',
    'infra/observability/prometheus.yml',
  ])
})

test('only the lines between the markers of a block are replaced', () => {
  const text = '# one\n# begin generated names\nold\n# end generated names\n# two\n'
  expect(replaceBlocks('file', text, { names: 'new\nnewer\n' })).toBe(
    '# one\n# begin generated names\nnew\nnewer\n# end generated names\n# two\n',
  )
})

test('a block without markers, and markers without a block, are errors that name the file', () => {
  expect(() => replaceBlocks('edge.cfg', 'text\n', { names: '' })).toThrow(
    'edge.cfg: the lines "begin generated names" and "end generated names" are missing',
  )
  const unknown = '# begin generated names\n# end generated names\n'
  expect(() => replaceBlocks('edge.cfg', unknown, {})).toThrow(
    'edge.cfg: no generator writes the block "names"',
  )
})

function generatedPart(path: string, content: string): string {
  const blocks = content.match(/begin generated (\S+)[^]*?end generated \1/g)
  if (/\.(ts|json)$/.test(path)) return content
  expect(blocks, path).not.toBe(null)
  return String(blocks)
}
