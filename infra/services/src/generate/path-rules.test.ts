import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { findPathFault, pathRules } from '@repo/proxy'
import { freePort, until } from '@repo/testing'
import { expect, onTestFinished, test } from 'vitest'
import { pathPatterns, pathProblems, UNUSUAL } from './path-rules.ts'

const ROOT = join(import.meta.dirname, '../../../..')

const REFUSED = {
  '//api/me': 'empty-segment',
  '/api//me': 'empty-segment',
  '/api/./me': 'dot-segment',
  '/api/..?x': 'dot-segment',
  '/api\\..\\admin': 'backslash',
  '/api/{id}': 'character',
  '/api/`': 'character',
  '/api/%': 'escape',
  '/api/%2': 'escape',
  '/api/%2?2e': 'escape',
  '/api/%zz': 'escape',
  '/api%2fme': 'escaped-separator',
  '/admin%5Cusers': 'escaped-separator',
  '/a%00': 'escaped-control',
  '/a%0d%0a': 'escaped-control',
  '/api/%6de': 'escaped-unreserved',
  '/api/%2e%2e/me': 'escaped-unreserved',
  '*': 'absolute',
  'http://evil.test/api': 'absolute',
} as const

const OF_PARSER = new Set<string>(['absolute', 'escape', 'escaped-control'])

const ACCEPTED = [
  '/',
  '/api/me?a=//..%2f%6d\\{',
  '/.well-known/openid-configuration',
  '/_next/static/chunks/app/%5Bid%5D/%40modal/(group)/page.js',
  "/a-b_c.d~e!f$g&h'i(j)k*l+m,n;o=p:q@r|s[t]/caf%C3%A9",
]

function rulesBroken(path: string): string[] {
  return Object.entries(pathPatterns).flatMap(([rule, pattern]) =>
    new RegExp(pattern).test(path) ? [rule] : [],
  )
}

test('the expressions of HAProxy and nginx refuse a path if and only if the gateway refuses it', () => {
  const pieces = ['/', '.', '..', '%', '%2', '%2e', '%2F', '%5c', '%41', '%20', '%00', '%C3', '%7e']
  const all = [...pieces, '\\', 'a', 'F', '0', '-', '~', '#', '<', '`', '"', '[', '|', '$', "'"]
  let state = 3
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  let [accepted, refused] = [0, 0]
  for (let round = 0; round < 20_000; round += 1) {
    const path = `/${Array.from({ length: random(6) }, () => all[random(all.length)]).join('')}`
    const fault = findPathFault(path)
    const broken = rulesBroken(path)
    if (fault === undefined) {
      accepted += 1
      expect({ path, broken }).toEqual({ path, broken: [] })
      continue
    }
    refused += 1
    expect({ path, broken }).toEqual({ path, broken: expect.arrayContaining([fault]) })
    // Paths without an unusual part are compared with no expression.
    expect(new RegExp(UNUSUAL).test(path)).toBe(true)
  }
  expect(Math.min(accepted, refused)).toBeGreaterThan(2_000)
})

test('no expression and no problem document has a quote that ends it in a configuration', () => {
  for (const { name, pattern, problem } of pathProblems()) {
    expect(name).toMatch(/^[a-z_]+$/)
    expect(pattern).not.toMatch(/['"\s]/)
    expect(problem).not.toMatch(/['\\]/)
    expect(JSON.parse(problem)).toMatchObject({ status: 400 })
  }
})

/** The configuration with one server that forwards to itself, as old releases of nginx read it. */
function nginxConfiguration(port: number, directory: string): string {
  const whole = readFileSync(join(ROOT, 'infra/edge/nginx.conf'), 'utf8')
  const maps = /# begin generated path-rules[^]*?(?=\n  server)/.exec(whole)?.[0] ?? ''
  const refusal = /error_page 400[^]*?if \(\$refusal\).*\n/.exec(whole)?.[0] ?? ''
  const location = /location ~ \^\/\(api.*\n/.exec(whole)?.[0] ?? ''
  expect([maps, refusal, location]).not.toContain('')
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/log;
events { worker_connections 64; }
http {
  access_log off;
  ${paths.map((path) => `${path}_temp_path ${directory}/${path};`).join(' ')}
  ${maps}
  server {
    listen 127.0.0.1:${port};
    ${refusal}
    ${location.replace('proxy_pass http://gateway;', 'return 200 gateway;')}
    location / { return 200 web; }
  }
}
`
}

async function send(port: number, target: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 'latin1')
  return text(socket)
}

const hasNginx = spawnSync('nginx', ['-v']).status === 0

test.skipIf(!hasNginx)(
  'nginx refuses the paths that the gateway refuses with a problem that names the rule, and forwards all others',
  async () => {
    const port = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'nginx-'))
    const file = join(directory, 'nginx.conf')
    writeFileSync(file, nginxConfiguration(port, directory))
    const nginx: ChildProcess = spawn('nginx', ['-p', directory, '-c', file], { stdio: 'ignore' })
    onTestFinished(async () => {
      nginx.kill('SIGTERM')
      await once(nginx, 'exit')
      rmSync(directory, { recursive: true })
    })
    await until(async () => (await send(port, '/').catch(() => '')).endsWith('web'))

    for (const target of ACCEPTED) {
      expect(findPathFault(target)).toBe(undefined)
      const isApi = /^\/(api|\.well-known)/.test(target)
      expect(await send(port, target), target).toMatch(isApi ? /gateway$/ : /web$/)
    }
    for (const [target, rule] of Object.entries(REFUSED)) {
      expect(findPathFault(target)).toBe(rule)
      const [head = '', body = ''] = (await send(port, target)).split('\r\n\r\n')
      expect(head, target).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json/)
      const { status, detail } = JSON.parse(body)
      // The parser of nginx refuses some targets before the rules are compared.
      const isOfParser = detail === 'The request is malformed.' && OF_PARSER.has(rule)
      expect({ target, status, detail: isOfParser ? pathRules[rule] : detail }).toEqual({
        target,
        status: 400,
        detail: pathRules[rule],
      })
    }
    for (const target of ['/api/m\u00e9', '/api/\u0001']) {
      expect(await send(port, target), target).toMatch(/^HTTP\/1\.1 400 /)
    }
  },
)
