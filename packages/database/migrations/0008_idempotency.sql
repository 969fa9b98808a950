CREATE TABLE "idempotency_key" (
	"id" "bytea" PRIMARY KEY NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"token" "bytea" NOT NULL,
	"state" text NOT NULL,
	"attempt" integer DEFAULT 1 NOT NULL,
	"lease_until" timestamp with time zone,
	"record" "bytea",
	"steps" jsonb,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "idempotency_key_state" CHECK (case "idempotency_key"."state" when 'pending' then "idempotency_key"."lease_until" is not null and "idempotency_key"."record" is null when 'completed' then "idempotency_key"."record" is not null else false end)
);
--> statement-breakpoint
CREATE INDEX "idempotency_key_expires_at" ON "idempotency_key" USING btree ("expires_at");
--> statement-breakpoint
-- Claims a request for the transaction that calls it, which must be READ COMMITTED: each SELECT here sees
-- the commits before it. Returns the record of a completed request ('completed'). 'pending': another
-- transaction has the lock. The server ends a transaction that is idle for longer than lease_ms.
CREATE OR REPLACE FUNCTION idempotency_lock(key_id bytea, request bytea, lock_number bigint, lease_ms integer)
RETURNS TABLE (outcome text, stored_record bytea) LANGUAGE plpgsql AS $$
DECLARE
	stored idempotency_key;
	is_locked boolean := false;
BEGIN
	LOOP
		SELECT * INTO stored FROM idempotency_key WHERE id = key_id AND expires_at > clock_timestamp();
		IF stored.fingerprint <> request THEN
			RETURN QUERY SELECT 'mismatch', NULL::bytea;
			RETURN;
		ELSIF stored.state = 'completed' THEN
			RETURN QUERY SELECT 'completed', stored.record;
			RETURN;
		ELSIF is_locked THEN
			PERFORM set_config('idle_in_transaction_session_timeout', lease_ms::text, true);
			RETURN QUERY SELECT 'claimed', NULL::bytea;
			RETURN;
		ELSIF NOT pg_try_advisory_xact_lock(lock_number) THEN
			RETURN QUERY SELECT 'pending', NULL::bytea;
			RETURN;
		END IF;
		-- The holder before may have committed since the row was read.
		is_locked := true;
	END LOOP;
END $$;
