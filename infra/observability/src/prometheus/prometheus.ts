import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'

export interface Target {
  /** `host:port`. */
  address: string
  labels: Readonly<Record<string, string>>
}

export interface Job {
  name: string
  /** `/metrics` by default. */
  path?: string
  /** Parameters of the request, such as the target of an exporter that probes. */
  params?: Readonly<Record<string, string>>
  targets: readonly Target[]
}

export interface PrometheusOptions {
  /** The folder of the programs, from `findTools`. */
  tools: string
  port: number
  jobs: readonly Job[]
  /** The text of rules.yml, or `quickenRules` of it. */
  rules: string
  /** The time between two scrapes, and between two evaluations of the rules. */
  intervalMs: number
}

export interface ActiveAlert {
  name: string
  state: 'pending' | 'firing'
  labels: Record<string, string>
  annotations: Record<string, string>
}

export interface Prometheus {
  readonly url: string
  /** The alerts that are pending or firing. */
  alerts(): Promise<ActiveAlert[]>
  /** The value of each series of an expression now. */
  query(expr: string): Promise<{ labels: Record<string, string>; value: number }[]>
  /** Replaces the targets of a job. Prometheus reads them within seconds. */
  setTargets(job: string, targets: readonly Target[]): Promise<void>
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>
  [Symbol.asyncDispose](): Promise<void>
}

const alertsBody = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
        state: z.enum(['pending', 'firing']),
      }),
    ),
  }),
})
const queryBody = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
})

/**
 * Starts Prometheus on 127.0.0.1 with these rules, and data in a folder that is removed at its end.
 *
 * @throws Error with the output of Prometheus when it does not start
 */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { tools, port, jobs, rules } = options
  const folder = await mkdtemp(join(tmpdir(), 'threefold-prometheus-'))
  const url = `http://127.0.0.1:${port}`
  await mkdir(join(folder, 'targets'))

  async function setTargets(job: string, targets: readonly Target[]): Promise<void> {
    const file = join(folder, 'targets', `${job}.json`)
    const groups = targets.map(({ address, labels }) => ({ targets: [address], labels }))
    await writeFile(`${file}.new`, JSON.stringify(groups))
    await rename(`${file}.new`, file)
  }

  for (const { name, targets } of jobs) await setTargets(name, targets)
  await writeFile(join(folder, 'rules.yml'), rules)
  await writeFile(join(folder, 'prometheus.yml'), configuration(options))

  const child = spawn(
    join(tools, 'prometheus'),
    [
      '--config.file=prometheus.yml',
      '--storage.tsdb.path=data',
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const { promise: isReady, resolve: setReady } = Promise.withResolvers<boolean>()
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-4_000)
    if (output.includes('Server is ready')) setReady(true)
  })
  const { promise: ended, resolve: setEnded } = Promise.withResolvers<void>()
  child.once('error', (error) => {
    output += error.message
    // It has no process.
    if (child.pid === undefined) setEnded()
  })
  child.once('close', () => setEnded())
  void ended.then(() => setReady(false))

  async function stop(): Promise<void> {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  }

  if (!(await isReady)) {
    await stop()
    throw new Error(`Prometheus did not start on port ${port}: ${lastError(output)}`)
  }
  return {
    url,
    async alerts() {
      const { data } = alertsBody.parse(await getJson(`${url}/api/v1/alerts`))
      return data.alerts.map(({ labels, annotations, state }) => {
        return { name: labels['alertname'] ?? '', state, labels, annotations }
      })
    },
    async query(expr) {
      const path = `/api/v1/query?query=${encodeURIComponent(expr)}`
      const { data } = queryBody.parse(await getJson(`${url}${path}`))
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
    setTargets,
    ended,
    [Symbol.asyncDispose]: stop,
  }
}

function configuration({ jobs, intervalMs }: PrometheusOptions): string {
  const interval = `${intervalMs}ms`
  return stringify({
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: interval,
      external_labels: { runbooks: 'docs/runbooks.md' },
    },
    rule_files: ['rules.yml'],
    scrape_configs: jobs.map(({ name, path = '/metrics', params = {} }) => ({
      job_name: name,
      // An instance reports its app and its name itself.
      honor_labels: true,
      metrics_path: path,
      params: Object.fromEntries(Object.entries(params).map(([key, value]) => [key, [value]])),
      file_sd_configs: [{ files: [`targets/${name}.json`], refresh_interval: '5s' }],
    })),
  })
}

function lastError(output: string): string {
  return output.split('\n').findLast((line) => line.includes('level=error')) ?? output.trim()
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} responds ${response.status}: ${await response.text()}`)
  return response.json()
}
