import { type Chart, SELECTED } from './panel.ts'

/** The stores, the bus, the caches, and the state that all instances share. */
export const stateRow: readonly Chart[] = [
  {
    title: 'PostgreSQL connections',
    unit: 'short',
    description: 'Healthy: active below the maximum of each instance.',
    queries: [
      [`sum by (app, state) (threefold_database_connections{${SELECTED}})`, '{{app}} {{state}}'],
      [`sum by (app) (threefold_database_connections_max{${SELECTED}})`, '{{app}} maximum'],
    ],
  },
  {
    title: 'Queries that wait for a connection',
    unit: 'short',
    description: 'Healthy: 0. Above 0 for a minute, an alert pages.',
    queries: [[`threefold_database_waiting{${SELECTED}}`, '{{instance}}']],
  },
  {
    title: 'Query time',
    unit: 's',
    description: 'Healthy: p50 below 5 ms, p99 below 50 ms.',
    queries: [
      [
        `histogram_quantile(0.5, sum by (app, le) (rate(threefold_database_query_seconds_bucket{${SELECTED}}[$__rate_interval])))`,
        '{{app}} p50',
      ],
      [
        `histogram_quantile(0.99, sum by (app, le) (rate(threefold_database_query_seconds_bucket{${SELECTED}}[$__rate_interval])))`,
        '{{app}} p99',
      ],
    ],
  },
  {
    title: 'Errors of PostgreSQL',
    unit: 'ops',
    description: 'Healthy: 0. A restart of PostgreSQL is a peak.',
    queries: [
      [
        `sum by (app, kind) (rate(threefold_database_errors_total{${SELECTED}}[$__rate_interval]))`,
        '{{app}} {{kind}}',
      ],
    ],
  },
  {
    title: 'PostgreSQL: transactions and sessions',
    unit: 'short',
    description:
      'Healthy: at most POOL_SIZE (20) sessions behind PgBouncer. From the exporter of PostgreSQL.',
    queries: [
      ['sum(rate(pg_stat_database_xact_commit[$__rate_interval]))', 'commits per second'],
      ['sum(rate(pg_stat_database_xact_rollback[$__rate_interval]))', 'rollbacks per second'],
      ['sum(pg_stat_database_numbackends)', 'sessions'],
    ],
  },
  {
    title: 'Time of a Redis command, p99',
    unit: 's',
    description: 'Healthy: below 5 ms.',
    queries: [
      [
        `histogram_quantile(0.99, sum by (app, le) (rate(threefold_redis_command_seconds_bucket{${SELECTED}}[$__rate_interval])))`,
        '{{app}}',
      ],
    ],
  },
  {
    title: 'Redis: breaker, connections, failures',
    unit: 'short',
    description: 'Healthy: 0 for all. An open breaker for 30 s pages.',
    queries: [
      [`threefold_redis_breaker_open{${SELECTED}} == 1`, 'breaker open {{instance}}'],
      [`threefold_redis_connected{${SELECTED}} == 0`, 'not connected {{instance}}'],
      [
        `sum by (app) (increase(threefold_redis_reconnects_total{${SELECTED}}[$__rate_interval])) > 0`,
        'reconnects {{app}}',
      ],
      [
        `sum by (app, code) (increase(threefold_redis_failed_calls_total{${SELECTED}}[$__rate_interval])) > 0`,
        '{{code}} {{app}}',
      ],
    ],
  },
  {
    title: 'Redis: memory',
    unit: 'percentunit',
    description: 'Healthy: below 75 % of maxmemory. From the exporter of Redis.',
    queries: [['redis_memory_used_bytes / (redis_memory_max_bytes > 0)', '{{instance}}']],
  },
  {
    title: 'Redis: evictions and clients',
    unit: 'short',
    description:
      'Healthy: no eviction; clients are two or three for each instance. From the exporter of Redis.',
    queries: [
      ['increase(redis_evicted_keys_total[$__rate_interval])', 'evicted {{instance}}'],
      ['redis_connected_clients', 'clients {{instance}}'],
    ],
  },
  {
    title: 'Bus: lease',
    unit: 's',
    description:
      'Healthy: about 1 s. At 0 the instance uses nothing from its memory; after 10 s an alert pages.',
    queries: [[`threefold_bus_lease_seconds{${SELECTED}}`, '{{instance}} {{bus}}']],
  },
  {
    title: 'Bus: entries behind, and resyncs',
    unit: 'short',
    description: 'Healthy: 0 behind, and a few resyncs a day.',
    queries: [
      [`threefold_bus_behind_entries{${SELECTED}} > 0`, 'behind {{instance}}'],
      [
        `sum by (instance) (increase(threefold_bus_resyncs_total{${SELECTED}}[$__rate_interval])) > 0`,
        'resyncs {{instance}}',
      ],
    ],
  },
  {
    title: 'Caches: share of reads from memory',
    unit: 'percentunit',
    description: 'Healthy: above 80 % for caches with load. The rest is read from Redis or loaded.',
    queries: [
      [
        `sum by (cache) (rate(threefold_cache_hits_total{${SELECTED}}[$__rate_interval])) / (sum by (cache) (rate(threefold_cache_hits_total{${SELECTED}}[$__rate_interval])) + sum by (cache) (rate(threefold_cache_store_hits_total{${SELECTED}}[$__rate_interval])) + sum by (cache) (rate(threefold_cache_loads_total{${SELECTED}}[$__rate_interval])))`,
        '{{cache}}',
      ],
    ],
  },
  {
    title: 'Session checks by source',
    unit: 'ops',
    description: 'Healthy: most from memo and cookie; database is below 5 % of all.',
    queries: [
      [
        `sum by (tier) (rate(threefold_session_validations_total{${SELECTED}}[$__rate_interval]))`,
        '{{tier}}',
      ],
    ],
  },
  {
    title: 'Session checks: time, and revocations that wait',
    unit: 's',
    description: 'Healthy: below 10 ms on average; no revocation waits.',
    queries: [
      [
        `sum by (app) (rate(threefold_session_validation_seconds_sum{${SELECTED}}[$__rate_interval])) / sum by (app) (rate(threefold_session_validation_seconds_count{${SELECTED}}[$__rate_interval]))`,
        '{{app}}',
      ],
      [`threefold_session_revocations_pending{${SELECTED}} > 0`, 'pending {{instance}}'],
    ],
  },
  {
    title: 'Limits: refused requests by policy',
    unit: 'ops',
    description: 'Healthy: few. A policy that refuses much is too narrow, or under attack.',
    queries: [
      [
        `sum by (policy, decision) (rate(threefold_ratelimit_decisions_total{${SELECTED}, decision!="allowed"}[$__rate_interval]))`,
        '{{policy}} {{decision}}',
      ],
    ],
  },
]
