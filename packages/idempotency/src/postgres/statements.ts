/** A statement that each connection plans once, under its name. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/**
 * The pending claims that a write may replace besides expired ones.
 * - `own`: those with its token.
 * - `ended`: also those whose lease has ended, because the claims are in another store.
 * - `any`: all, because the writer has the lock of the key.
 */
export type Takes = 'own' | 'ended' | 'any'

const TAKES: Record<Takes, string> = {
  own: 'found.token = excluded.token',
  ended: '(found.token = excluded.token or found.lease_until <= clock_timestamp())',
  any: 'true',
}

/** `$n` milliseconds from now. All times are by the clock of PostgreSQL, read after a wait for a lock. */
const after = (n: number) => `clock_timestamp() + $${n}::double precision * interval '1 ms'`

/** A pending row stays for a day after its lease: until then its fingerprint and its steps count. */
const RETAINED = `interval '1 day'`

const IS_EXPIRED = 'found.expires_at <= clock_timestamp()'
const IS_SAME_PENDING = `found.state = 'pending' and found.fingerprint = excluded.fingerprint`

/** The milliseconds until a time, at least 1. */
const msUntil = (time: string) =>
  `greatest(1, ceil(extract(epoch from ${time} - clock_timestamp()) * 1000))::double precision`

/**
 * Claims a request by a row. `$1` id, `$2` fingerprint, `$3` token, `$4` lease in ms.
 * Returns `claimed` with the attempt, `completed` with the record, `pending` with the time until the
 * lease ends, or `mismatch`. A row that does not permit the claim is read and not locked, so that a
 * replay writes nothing. No row: another statement changed the row since this one began.
 */
export const CLAIM: Statement = {
  name: 'idempotency-claim',
  text: `with held as materialized (
  select case when fingerprint <> $2::bytea then 'mismatch' else state end as outcome,
    ${msUntil('lease_until')} as number, record
  from idempotency_key as found
  where id = $1::bytea and expires_at > clock_timestamp() and (fingerprint <> $2
    or state = 'completed' or token <> $3::bytea and lease_until > clock_timestamp())
), claimed as (
  insert into idempotency_key as found (id, fingerprint, token, state, lease_until, expires_at)
  select $1, $2, $3, 'pending', ${after(4)}, ${after(4)} + ${RETAINED}
  where not exists (select from held)
  on conflict (id) do update set
    fingerprint = excluded.fingerprint, token = excluded.token, state = 'pending', record = null,
    lease_until = ${after(4)}, expires_at = ${after(4)} + ${RETAINED},
    attempt = case when ${IS_EXPIRED} then 1
      when found.token = excluded.token then found.attempt else found.attempt + 1 end,
    steps = case when ${IS_EXPIRED} then null else found.steps end
  where ${IS_EXPIRED} or ${IS_SAME_PENDING} and ${TAKES.ended}
  returning attempt
)
select 'claimed' as outcome, attempt::double precision as number, null::bytea as record from claimed
union all select outcome, number, case outcome when 'completed' then record end from held`,
}

/**
 * Reads the row of a request. `$1` id, `$2` fingerprint, `$3` token. Returns `completed`, `mismatch`,
 * `pending` (another holder), `own`, or `ended`: a claim whose lease has ended. No row: it is absent.
 */
export const FIND: Statement = {
  name: 'idempotency-find',
  text: `select case when fingerprint <> $2::bytea then 'mismatch' when state = 'completed' then state
    when token = $3::bytea then 'own' when lease_until > clock_timestamp() then state
    else 'ended' end as outcome,
  token = $3::bytea as "isOwn", attempt,
  case when fingerprint = $2 then record end as record,
  ${msUntil('coalesce(lease_until, expires_at)')} as "leaseMs", ${msUntil('expires_at')} as "ttlMs"
from idempotency_key where id = $1::bytea and expires_at > clock_timestamp()`,
}

/**
 * Stores a record. `$1` id, `$2` fingerprint, `$3` token, `$4` record, `$5` time to live in ms.
 * Returns whether the row is new. No row: it belongs to another holder, or is completed.
 */
export function storeStatement(takes: Takes): Statement {
  return {
    name: `idempotency-store-${takes}`,
    text: `insert into idempotency_key as found (id, fingerprint, token, state, record, expires_at)
values ($1::bytea, $2::bytea, $3::bytea, 'completed', $4::bytea, ${after(5)})
on conflict (id) do update set
  fingerprint = excluded.fingerprint, token = excluded.token, state = 'completed',
  record = excluded.record, lease_until = null, steps = null, expires_at = ${after(5)}
where ${IS_EXPIRED} or ${IS_SAME_PENDING} and ${TAKES[takes]}
returning found.xmax = 0 as "isNew"`,
  }
}

/**
 * Stores the result of a step. `$1` id, `$2` fingerprint, `$3` token, `$4` name, `$5` JSON. A row that
 * it creates has a lease that has ended. Returns a row unless the claim belongs to another holder.
 */
export function stepStatement(takes: Takes): Statement {
  return {
    name: `idempotency-step-${takes}`,
    text: `insert into idempotency_key as found
  (id, fingerprint, token, state, lease_until, steps, expires_at)
values ($1::bytea, $2::bytea, $3::bytea, 'pending', clock_timestamp(),
  jsonb_build_object($4::text, $5::text), clock_timestamp() + ${RETAINED})
on conflict (id) do update set
  fingerprint = excluded.fingerprint, token = excluded.token, state = 'pending', record = null,
  attempt = case when ${IS_EXPIRED} then 1 else found.attempt end,
  steps = case when ${IS_EXPIRED} then excluded.steps
    else coalesce(found.steps, '{}') || excluded.steps end,
  lease_until = case when found.token = excluded.token then found.lease_until
    else excluded.lease_until end,
  expires_at = greatest(found.expires_at, excluded.expires_at)
where ${IS_EXPIRED} or ${IS_SAME_PENDING} and ${TAKES[takes]}
returning id`,
  }
}

/** `$1` id, `$2` fingerprint. Returns the steps as an object of JSON texts, or null. */
export const STEPS: Statement = {
  name: 'idempotency-steps',
  text: `select steps from idempotency_key
where id = $1::bytea and fingerprint = $2::bytea and expires_at > clock_timestamp()`,
}

/** Deletes a claim. `$1` id, `$2` token. One with steps stays, and its lease ends. */
export const RELEASE: Statement = {
  name: 'idempotency-release',
  text: `with ended as (
  update idempotency_key set lease_until = clock_timestamp()
  where id = $1::bytea and token = $2::bytea and state = 'pending' and steps is not null
)
delete from idempotency_key
where id = $1 and token = $2 and state = 'pending' and steps is null`,
}

/** Prolongs claims. `$1` ids, `$2` their tokens, `$3` lease in ms. Returns ids of other holders. */
export const RENEW: Statement = {
  name: 'idempotency-renew',
  text: `with held as (
  select id, token from unnest($1::bytea[], $2::bytea[]) as held (id, token)
), renewed as (
  update idempotency_key as found set lease_until = ${after(3)}, expires_at = ${after(3)} + ${RETAINED}
  from held where found.id = held.id and found.token = held.token and found.state = 'pending'
)
select held.id from held join idempotency_key as found using (id) where found.token <> held.token`,
}

/**
 * Waits for the end of each transaction that writes the row. `$1` id, `$2` fingerprint, `$3` token.
 * Its caller rolls the row back that it may write.
 */
export const AWAIT: Statement = {
  name: 'idempotency-await',
  text: `insert into idempotency_key as found (id, fingerprint, token, state, lease_until, expires_at)
values ($1::bytea, $2::bytea, $3::bytea, 'pending', clock_timestamp(), clock_timestamp())
on conflict (id) do update set attempt = found.attempt where false`,
}

/** Deletes expired rows, at most `$1`. `$2` is the lock of the batch: one that is held deletes none. */
export const SWEEP: Statement = {
  name: 'idempotency-sweep',
  text: `with expired as materialized (
  select id from idempotency_key
  where expires_at <= (select clock_timestamp()) and (select pg_try_advisory_xact_lock($2::bigint))
  order by expires_at limit $1::bigint for update skip locked
), deleted as (
  delete from idempotency_key using expired where idempotency_key.id = expired.id returning 1
)
select count(*)::integer as deleted from deleted`,
}

/** Whether PostgreSQL can write. */
export const CHECK: Statement = {
  name: 'idempotency-check',
  text: `select current_setting('transaction_read_only') = 'off' as "canWrite"
from (select 1) as one where not exists (select from idempotency_key where id = '\\x00')`,
}

/** See the migration that creates it. `$1` id, `$2` fingerprint, `$3` number of the lock, `$4` lease. */
export const LOCK: Statement = {
  name: 'idempotency-lock',
  text: `select outcome, stored_record as record
from idempotency_lock($1::bytea, $2::bytea, $3::bigint, $4::integer)`,
}
