import { type Chart, SELECTED } from './panel.ts'

const COUNT = 'threefold_http_request_seconds_count'

/** The work of the product, and the telemetry itself. */
export const workRow: readonly Chart[] = [
  {
    title: 'Sign-ins',
    unit: 'ops',
    description: 'Healthy: follows the users. A peak of 4xx is a guessed password or a limit.',
    queries: [
      [
        `sum by (status_class) (rate(${COUNT}{app="auth", route=~"/api/auth/sign-in/.*"}[$__rate_interval]))`,
        '{{status_class}}',
      ],
    ],
  },
  {
    title: 'Changes by app',
    unit: 'ops',
    description:
      'Healthy: 2xx, and 4xx for refused input. A 5xx is sent again by clients with the same key.',
    queries: [
      [
        `sum by (app, status_class) (rate(${COUNT}{${SELECTED}, method=~"POST|PUT|PATCH|DELETE"}[$__rate_interval]))`,
        '{{app}} {{status_class}}',
      ],
    ],
  },
  {
    title: 'Requests with a key, by outcome',
    unit: 'ops',
    description:
      'Healthy: fresh, and some replayed. Above 10 % conflict and mismatch for five minutes, an alert opens a ticket.',
    queries: [
      [
        `sum by (app, outcome) (rate(threefold_idempotency_requests_total{${SELECTED}}[$__rate_interval]))`,
        '{{app}} {{outcome}}',
      ],
    ],
  },
  {
    title: 'Idempotency: errors of the store, takeovers, claims in progress',
    unit: 'short',
    description: 'Healthy: no errors; a takeover for each instance that was killed in a request.',
    queries: [
      [
        `sum by (app, call) (increase(threefold_idempotency_store_errors_total{${SELECTED}}[$__rate_interval])) > 0`,
        'errors {{app}} {{call}}',
      ],
      [
        `sum by (app) (increase(threefold_idempotency_takeovers_total{${SELECTED}}[$__rate_interval])) > 0`,
        'takeovers {{app}}',
      ],
      [`sum by (app) (threefold_idempotency_in_flight{${SELECTED}})`, 'in progress {{app}}'],
    ],
  },
  {
    title: 'Outbox: messages that wait, and the age of the oldest',
    unit: 'short',
    description: 'Healthy: 0 or a few, and younger than 10 s. All instances see the same rows.',
    queries: [
      [`max(threefold_outbox_pending{${SELECTED}})`, 'messages'],
      [`max(threefold_outbox_oldest_seconds{${SELECTED}})`, 'seconds'],
    ],
  },
  {
    title: 'Log lines and spans that were dropped',
    unit: 'short',
    description: 'Healthy: 0. The reader of stdout or the collector is slow or unavailable.',
    queries: [
      [
        `increase(threefold_log_dropped_lines_total{${SELECTED}}[$__rate_interval])`,
        'lines {{instance}}',
      ],
      [
        `sum by (instance) (increase(threefold_trace_spans_dropped_total{${SELECTED}}[$__rate_interval]))`,
        'spans {{instance}}',
      ],
    ],
  },
  {
    title: 'Spans that were exported',
    unit: 'ops',
    description: 'Healthy: follows the sampled share of the requests; 0 without a collector.',
    queries: [
      [
        `sum by (app) (rate(threefold_trace_spans_exported_total{${SELECTED}}[$__rate_interval]))`,
        '{{app}}',
      ],
      [
        `sum by (app) (rate(threefold_trace_export_failures_total{${SELECTED}}[$__rate_interval]))`,
        'failed exports {{app}}',
      ],
    ],
  },
]
