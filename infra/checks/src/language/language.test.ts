import { expect, test } from 'vitest'
import { packageOf } from '../files.ts'
import { project } from '../project.fixture.ts'
import { checkLanguage, faultsOf } from './check-language.ts'
import { findMarkers } from './markers.ts'
import { countWords, type Kind } from './passage.ts'
import { passagesOf, type Place, surveyLanguage } from './survey.ts'
import { standsAlone } from './titles.ts'

const phrasesIn = (text: string, kind: Kind = 'comment') =>
  findMarkers({ kind, text, start: 0 }).map((hit) => hit.text)

test.each([
  ['Who is cut off trusts what it caches.', ['Who']],
  ['Of a key that is hot an instance takes its quota.', ['Of']],
  ['Reads the row. What was revoked is refused.', ['What']],
  ['While Redis is away, nobody signs in anew.', ['away', 'nobody', 'anew']],
  ['The log is read once\n   more.', ['once more']],
  ['the instances that were told', ['told']],
  ['whose session it is: who signs in first wins', ['whose', 'who']],
  ['The value is cached, else loaded.', ['else']],
  ['A lock of its own, and a channel of ours.', ['of its own', 'ours']],
  ['The load is under way when the answer is there.', ['under way', 'is there']],
  ['so many requests, of which most are refused', ['so many', 'of which']],
  ['Readers load it; others do so meanwhile.', ['meanwhile']],
])('the passage "%s" has markers', (text, phrases) => {
  expect(phrasesIn(text)).toEqual(phrases)
})

test.each([
  'Returns the entry right away. Meanwhile, other requests wait.',
  'A user who signs in twice has two sessions.',
  'The `told` field, the link [x](https://example.com/nobody) and https://example.com/away',
  'What happens when Redis fails?',
  'The requirement is met. RFC 9110 says that a proxy adds Via.',
  'A well-known address and a known-bad variant.',
  'The lock is released with the number of entries, some of them stale.',
])('the passage "%s" has no marker', (text) => {
  expect(phrasesIn(text)).toEqual([])
})

test.each([
  'is refused on every instance',
  'that ended is refused on every instance',
  'names the setting that is missing',
  'the second cookie',
  'I4: returns the newest value of a key',
])('the title "%s" does not stand alone', (title) => {
  expect(standsAlone(title)).toBe(false)
})

test.each([
  'a session that ended is refused on every instance',
  'names of settings are printed, and values are not',
  'I4: a read after an invalidation returns the new value',
  '%s is refused by name',
])('the title "%s" stands alone', (title) => {
  expect(standsAlone(title)).toBe(true)
})

test('names that are neither nouns nor verbs are markers, and other names are not', () => {
  expect(phrasesIn('told', 'name')).toEqual(['told'])
  expect(phrasesIn('subject', 'name')).toEqual([])
})

const SOURCE = `/**
 * Who waits,
 * waits anew.
 */
// One sentence over
// two lines is told.
export function f(of: string, { known, key: { own } }: object, [more = 1] = [], ...some) {
  const script = \`
-- KEYS: 1 the entry
redis.call('SET', told)\`
  throw new Error('nobody is signed in', { cause: 'aws-told' })
}
describe.each([1])('a row', () => 'told a few other words')
test.for([1])('the row is %s, and nobody waits', () => {})
test(\`of \${f({ a: \`b\` })} calls one wins\`, () => {})
`

test('a source file has comments, comments of scripts, messages, titles and declared names', () => {
  const passages = passagesOf('a.ts', SOURCE)
  const kinds = Map.groupBy(passages, ({ kind }) => kind)
  const texts = (kind: Kind) =>
    kinds.get(kind)?.map(({ text }) => text.replaceAll(/\s+/g, ' ').trim())
  expect(texts('comment')).toEqual([
    'Who waits, waits anew.',
    'One sentence over two lines is told.',
    'KEYS: 1 the entry',
  ])
  expect(texts('title')).toEqual([
    'the row is %s, and nobody waits',
    'of ················ calls one wins',
  ])
  expect(texts('group')).toEqual(['a row'])
  expect(texts('message')).toEqual(['nobody is signed in', 'told a few other words'])
  expect(texts('name')).toEqual(['f', 'of', 'known', 'own', 'more', 'some', 'script'])
  for (const { text, start } of passages) expect(SOURCE.length).toBeGreaterThan(start + text.length)
})

test('a test that is made by test.extend has a title, and the name of its fixture is none', () => {
  const text =
    "const open = test.extend('cluster', () => {})\nopen('one lock has one holder', () => {})"
  const passages = passagesOf('a.test.ts', text).filter(({ kind }) => kind === 'title')
  expect(passages.map((passage) => passage.text.trim())).toEqual(['one lock has one holder'])
})

test('strings of a test are data, and its titles are not', () => {
  const kinds = passagesOf('a.test.ts', SOURCE).map(({ kind }) => kind)
  expect(kinds).not.toContain('message')
  expect(kinds).toContain('title')
})

test('page copy is text and read attributes of JSX, not classes', () => {
  const page = `const a = <p className="away of its own" title="told all the users">Nobody is here</p>`
  const texts = passagesOf('page.tsx', page).flatMap(({ kind, text }) =>
    kind === 'page' ? text.trim() : [],
  )
  expect(texts).toEqual(['told all the users', 'Nobody is here'])
})

test('a document has its prose without code blocks, HTML comments and marks', () => {
  const text =
    '# Who\n\n```sh\ntold\n```\n<!-- anew -->\n- What is cached\n\n| of | b |\n| --- | --- |\n'
  const passages = passagesOf('a.md', text)
  expect(passages.flatMap(findMarkers).map((hit) => hit.text)).toEqual(['Who', 'What', 'of'])
  for (const passage of passages)
    expect(text.slice(passage.start)).toHaveLength(text.length - passage.start)
})

test('a script has comments and no other prose', () => {
  const [passage, ...others] = passagesOf('a.sh', '#!/bin/sh\n# Who\n# waits\necho told # x\n')
  expect(others).toEqual([])
  expect(passage?.text.replaceAll(/\s+/g, ' ').trim()).toBe('Who waits')
})

test('a hit names its file, line and package, and ignored folders are not read', () => {
  const root = project({
    'packages/lock/src/lock.ts': '\n\n// Nobody waits.\n',
    'packages/lock/node_modules/x/index.ts': '// told\n',
    'docs/a.md': 'Plain words.\n',
  })
  expect(surveyLanguage(root)).toEqual([
    { package: 'docs', words: 2, hits: [] },
    {
      package: 'lock',
      words: 2,
      hits: [
        expect.objectContaining({ file: 'packages/lock/src/lock.ts', line: 3, kind: 'comment' }),
      ],
    },
  ])
})

test('a package fails above 1.5 phrases in 1,000 words, and one phrase in page copy is too many', () => {
  const words = 'word '.repeat(998)
  expect(isFailed(`${words} away`)).toBe(false)
  expect(isFailed(`${words} away told`)).toBe(true)
  const hit: Place = {
    type: 'phrase',
    kind: 'page',
    text: '',
    instead: '',
    start: 0,
    file: '',
    line: 1,
  }
  expect(faultsOf({ package: 'web', words: 9_000, hits: [hit] })).toHaveLength(1)
  expect(
    faultsOf({ package: 'web', words: 9_000, hits: [{ ...hit, kind: 'name', type: 'name' }] }),
  ).toHaveLength(1)
})

test('a table that a program writes between two marks is no prose', () => {
  const table = '<!-- begin lock -->\n\nNobody waits.\n\n<!-- end lock -->\n'
  const texts = passagesOf('a.md', `Before.\n\n${table}\nAfter.\n`).map(({ text }) => text.trim())
  expect(texts).toEqual(['Before.', 'After.'])
})

test('a package that does not exist fails the check', () => {
  const root = project({ 'packages/lock/README.md': 'Plain words.' })
  expect(checkLanguage(root, 'lock').isFailed).toBe(false)
  expect(checkLanguage(root, 'clock')).toEqual({
    lines: ['no package clock; there are lock'],
    isFailed: true,
  })
})

test('a file belongs to its package, its folder of infra, or the documents', () => {
  expect(packageOf('packages/session/src/a.ts')).toBe('session')
  expect(packageOf('infra/local/src/a.ts')).toBe('local')
  expect(packageOf('infra/README.md')).toBe('infra')
  expect(packageOf('README.md')).toBe('docs')
})

test('words are counted without numbers and marks', () => {
  expect(countWords('The lock, 3 times: key-value don’t')).toBe(5)
})

const isFailed = (readme: string) =>
  checkLanguage(project({ 'packages/lock/README.md': readme })).isFailed
