import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@repo/testing'
import { parse } from 'yaml'
import { z } from 'zod'
import { findTools } from '../prometheus/tools.ts'
import { FOLDER, readRules } from './rule-file.ts'

const run = promisify(execFile)
const tools = await findTools('prometheus')
const alertmanager = await findTools('prometheus-alertmanager')
const RUNBOOKS = join(FOLDER, '../../docs/runbooks.md')
const UNIT_TESTS = ['rules.test.yml', 'rules.minutes.test.yml']

const unitTests = z.object({
  tests: z.array(
    z.object({
      alert_rule_test: z.array(
        z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()).default([]) }),
      ),
    }),
  ),
})

/** For each case of an alert, whether it fires at each time that the case checks. */
function casesOf(alert: string): boolean[][] {
  return UNIT_TESTS.flatMap((file) => {
    const { tests } = unitTests.parse(parse(readFileSync(join(FOLDER, file), 'utf8')))
    return tests.map(({ alert_rule_test: checks }) =>
      checks
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts: expected }) => expected.length > 0),
    )
  })
}

const { alerts } = readRules()

test('rules.yml has 20 alerts, and no two have the same name', () => {
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(20)
  expect(alerts).toHaveLength(20)
})

test.for(alerts)(
  '$alert has unit tests in which it fires, resolves and does not fire',
  ({ alert }) => {
    const cases = casesOf(alert)
    expect(cases.some((fires) => fires.includes(true) && fires.at(-1) === false)).toBe(true)
    expect(cases.some((fires) => fires.length > 0 && !fires.includes(true))).toBe(true)
  },
)

test.for(alerts)(
  '$alert links to its section of the runbooks, which exists',
  ({ alert, annotations }) => {
    const runbooks = readFileSync(RUNBOOKS, 'utf8')
    expect(annotations.runbook_url).toBe(`{{ $externalLabels.runbooks }}#${alert.toLowerCase()}`)
    const section = runbooks.split(/^### /m).find((text) => text.startsWith(`${alert}\n`))
    expect(section).toMatch(/\*\*Meaning\.\*\*[^]+\*\*Diagnose\.\*\*[^]+```sh[^]+\*\*Repair\.\*\*/)
  },
)

test('each trouble of several instances and of the session cache has its cause, diagnosis and repair', () => {
  const runbooks = readFileSync(RUNBOOKS, 'utf8')
  const troubles = runbooks
    .split(/^## Troubles of /m)
    .slice(1)
    .map((part) => part.split(/^### /m).slice(1))
  expect(troubles.map(({ length }) => length)).toEqual([6, 4])
  for (const section of troubles.flat()) {
    expect(section).toMatch(/\*\*Cause\.\*\*[^]+\*\*Diagnose\.\*\*[^]+```sh[^]+\*\*Repair\.\*\*/)
  }
})

test('each link of the runbooks to a section leads to a section that exists', () => {
  const runbooks = readFileSync(RUNBOOKS, 'utf8')
  const anchors = new Set(
    [...runbooks.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    ),
  )
  const links = [...runbooks.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
  expect(links.length).toBeGreaterThan(5)
  expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([])
})

test('an unavailable Redis is one page: its alert fires first, and the page of the deaf bus still waits then', () => {
  const { route } = parse(readFileSync(join(FOLDER, 'alertmanager.yml'), 'utf8'))
  const [redis = 0, bus = 0] = ['RedisBreakerOpen', 'BusDeaf'].map((name) =>
    parseInt(alerts.find(({ alert }) => alert === name)?.for ?? ''),
  )
  expect(redis).toBeLessThan(bus)
  expect(parseInt(route.group_wait)).toBeGreaterThanOrEqual(30)
})

test('the default address of the runbooks is their file', () => {
  const { global } = parse(readFileSync(join(FOLDER, 'prometheus.yml'), 'utf8'))
  expect(global.external_labels).toEqual({ runbooks: 'docs/runbooks.md' })
})

describe.skipIf(!tools)('with promtool, which needs a machine with apt-get', () => {
  test.for(UNIT_TESTS)('promtool runs the unit tests of %s, and all pass', async (file) => {
    const { stdout } = await run(`${tools}/promtool`, ['test', 'rules', file], { cwd: FOLDER })
    expect(stdout).toContain('SUCCESS')
  })

  test('promtool accepts the configuration of Prometheus, with its rules', async () => {
    const { stdout } = await run(`${tools}/promtool`, ['check', 'config', 'prometheus.yml'], {
      cwd: FOLDER,
    })
    expect(stdout).toMatch(/SUCCESS: .*prometheus\.yml[^]+SUCCESS: \d+ rules found/)
  })
})

test.skipIf(!alertmanager)('amtool accepts the configuration of Alertmanager', async () => {
  const { stdout } = await run(`${alertmanager}/amtool`, ['check-config', 'alertmanager.yml'], {
    cwd: FOLDER,
  })
  expect(stdout).toMatch(/SUCCESS/)
})
