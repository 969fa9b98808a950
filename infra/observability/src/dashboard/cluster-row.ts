import { type Chart, SELECTED } from './panel.ts'

const COUNT = `threefold_http_request_seconds_count{${SELECTED}}`
const REQUESTS = `threefold_http_requests_total{${SELECTED}}`
const FAILED = `threefold_http_failures_total{${SELECTED}}`
const BUCKET = `threefold_http_request_seconds_bucket{${SELECTED}}`

/** Instances, the requests that they serve, and how these are spread. */
export const clusterRow: readonly Chart[] = [
  {
    title: 'Instances by phase',
    unit: 'short',
    description: 'Healthy: three ready instances of each app. Others exist only during a change.',
    queries: [[`sum by (app, phase) (threefold_instance_phase{${SELECTED}})`, '{{app}} {{phase}}']],
  },
  {
    title: 'Requests by app',
    unit: 'reqps',
    description:
      'Healthy: follows the load. A sudden 0 is an edge or a gateway that is unavailable.',
    queries: [[`sum by (app) (rate(${COUNT}[$__rate_interval]))`, '{{app}}']],
  },
  {
    title: 'Share of failed requests',
    unit: 'percentunit',
    description:
      'Healthy: below 0.1 %, the error budget. Above 1.44 % for an hour, an alert pages.',
    queries: [
      [
        `sum by (app) (rate(${FAILED}[$__rate_interval])) / sum by (app) (rate(${REQUESTS}[$__rate_interval]))`,
        '{{app}}',
      ],
    ],
  },
  {
    title: 'p99 by route, the ten slowest',
    unit: 's',
    description: 'Healthy: below 1 s, and below 2.5 s for routes that hash a password.',
    queries: [
      [
        `topk(10, histogram_quantile(0.99, sum by (app, route, le) (rate(${BUCKET}[$__rate_interval]))))`,
        '{{app}} {{route}}',
      ],
    ],
  },
  {
    title: 'Requests by instance',
    unit: 'reqps',
    description:
      'Healthy: the instances of an app are close to each other. A slower one has fewer.',
    queries: [[`sum by (instance) (rate(${COUNT}[$__rate_interval]))`, '{{instance}}']],
  },
  {
    title: 'Responses by status',
    unit: 'reqps',
    description:
      'Healthy: few 4xx, no 5xx. 429 is a limit; 503 with Retry-After is a store or a full instance.',
    queries: [
      [
        `sum by (app, status) (rate(threefold_http_responses_total{${SELECTED}, status=~"4..|5.."}[$__rate_interval]))`,
        '{{app}} {{status}}',
      ],
    ],
  },
  {
    title: 'Requests in flight',
    unit: 'short',
    description: 'Healthy: below 50 an instance. It grows when a store or a service becomes slow.',
    queries: [[`threefold_http_requests_in_flight{${SELECTED}}`, '{{instance}}']],
  },
  {
    title: 'Delay of the event loop, p99',
    unit: 's',
    description: 'Healthy: below 100 ms. Above 200 ms for five minutes, an alert opens a ticket.',
    queries: [[`nodejs_eventloop_lag_p99_seconds{${SELECTED}} - 0.1`, '{{instance}}']],
  },
  {
    title: 'Processor time',
    unit: 'percentunit',
    description: 'Healthy: below 70 %. An instance uses at most one processor.',
    queries: [[`rate(process_cpu_seconds_total{${SELECTED}}[$__rate_interval])`, '{{instance}}']],
  },
  {
    title: 'Memory',
    unit: 'bytes',
    description:
      'Healthy: flat after the first hour, and below the limit of the container (512 MB, web 768 MB).',
    queries: [[`process_resident_memory_bytes{${SELECTED}}`, '{{instance}}']],
  },
  {
    title: 'Requests to upstreams by outcome',
    unit: 'reqps',
    description: 'Healthy: almost all ok. Each try counts, so a repeated request counts twice.',
    queries: [
      [
        `sum by (upstream, outcome) (rate(threefold_proxy_requests_total{${SELECTED}}[$__rate_interval]))`,
        '{{upstream}} {{outcome}}',
      ],
    ],
  },
  {
    title: 'Repeated, ejected and refused',
    unit: 'ops',
    description: 'Healthy: 0. Peaks during changes and kills are normal.',
    queries: [
      [
        `sum by (upstream) (rate(threefold_proxy_retries_total{${SELECTED}}[$__rate_interval]))`,
        'repeated {{upstream}}',
      ],
      [
        `sum by (upstream) (rate(threefold_proxy_retry_budget_exhausted_total{${SELECTED}}[$__rate_interval]))`,
        'no budget {{upstream}}',
      ],
      [
        `sum by (upstream, target) (rate(threefold_proxy_ejections_total{${SELECTED}}[$__rate_interval]))`,
        'ejected {{target}}',
      ],
      [
        `sum by (instance) (rate(threefold_proxy_shed_total{${SELECTED}}[$__rate_interval]))`,
        'refused by {{instance}}',
      ],
    ],
  },
  {
    title: 'Upstream targets that are unhealthy',
    unit: 'short',
    description: 'Healthy: 0. Each caller that sees the target as unhealthy counts.',
    queries: [
      [
        `count by (upstream, target) (threefold_proxy_target_healthy{${SELECTED}} == 0)`,
        '{{upstream}} {{target}}',
      ],
    ],
  },
  {
    title: 'Requests in flight by target, and waiting',
    unit: 'short',
    description: 'Healthy: evenly spread, and no request waits.',
    queries: [
      [
        `sum by (upstream, target) (threefold_proxy_target_in_flight{${SELECTED}})`,
        '{{upstream}} {{target}}',
      ],
      [`sum by (upstream) (threefold_proxy_queue_waiting{${SELECTED}})`, 'waiting {{upstream}}'],
    ],
  },
  {
    title: 'Drift, unhandled errors, failures in the background',
    unit: 'short',
    description: 'Healthy: 0. Drift during a rolling change is normal.',
    queries: [
      [`threefold_config_drift{${SELECTED}} == 1`, 'drift {{instance}}'],
      [
        `sum by (instance) (increase(threefold_process_unhandled_errors_total{${SELECTED}}[$__rate_interval])) > 0`,
        'unhandled {{instance}}',
      ],
      [
        `sum by (instance, task) (increase(threefold_background_failures_total{${SELECTED}}[$__rate_interval])) > 0`,
        '{{task}} {{instance}}',
      ],
    ],
  },
]
