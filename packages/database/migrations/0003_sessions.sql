CREATE TABLE "session_policy" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"max_sessions" integer NOT NULL,
	"on_exceeded" text NOT NULL,
	CONSTRAINT "session_policy_only" CHECK ("session_policy"."only"),
	CONSTRAINT "session_policy_positive" CHECK ("session_policy"."max_sessions" > 0)
);
--> statement-breakpoint
CREATE TABLE "session_tombstone" (
	"key" text PRIMARY KEY NOT NULL,
	"session_id" text NOT NULL,
	"user_id" text NOT NULL,
	"reason" text NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "session" ADD COLUMN "last_seen_at" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "session" ADD COLUMN "previous_key" text;--> statement-breakpoint
CREATE INDEX "session_tombstone_at" ON "session_tombstone" USING btree ("at");
--> statement-breakpoint
-- How a session is named outside this table: the SHA-256 (hex) of its token.
CREATE FUNCTION session_key(token text) RETURNS text LANGUAGE sql STABLE RETURN encode(sha256(convert_to(token, 'UTF8')), 'hex');
--> statement-breakpoint
-- Who gets a session. The user's row is locked, so that sign-ins, bans and "sign out everywhere" of
-- one user come one after the other: none is admitted after a ban, and the limit is exact.
-- TF001: the user is banned. TF002: the user has as many sessions as are allowed.
CREATE FUNCTION session_admit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	is_banned boolean;
	policy session_policy;
	excess bigint;
BEGIN
	SELECT banned AND (ban_expires IS NULL OR ban_expires > now()) INTO is_banned
		FROM "user" WHERE id = NEW.user_id FOR NO KEY UPDATE;
	IF is_banned THEN
		RAISE EXCEPTION 'the user is banned' USING ERRCODE = 'TF001';
	END IF;
	SELECT * INTO policy FROM session_policy;
	IF policy.max_sessions IS NULL THEN
		RETURN NEW;
	END IF;
	SELECT count(*) - policy.max_sessions + 1 INTO excess
		FROM session WHERE user_id = NEW.user_id AND expires_at > now();
	IF excess > 0 AND policy.on_exceeded = 'reject' THEN
		RAISE EXCEPTION 'the user has % sessions already', policy.max_sessions USING ERRCODE = 'TF002';
	END IF;
	DELETE FROM session WHERE id IN (
		SELECT id FROM session WHERE user_id = NEW.user_id AND expires_at > now()
		ORDER BY created_at, id LIMIT greatest(excess, 0)
	);
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER session_admit BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION session_admit();
--> statement-breakpoint
-- Whoever ends a session, and by whatever statement: every instance is told, or none if it rolls back.
CREATE FUNCTION session_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO session_tombstone (key, session_id, user_id, reason)
		SELECT session_key(ended.token), ended.id, ended.user_id,
			CASE WHEN person.id IS NULL THEN 'deleted' WHEN person.banned THEN 'banned' ELSE 'revoked' END
		FROM ended LEFT JOIN "user" person ON person.id = ended.user_id
		WHERE ended.expires_at > now()
		ON CONFLICT DO NOTHING;
	INSERT INTO cache_outbox (bus, message)
		SELECT 'platform', jsonb_build_object('kind', 'keys', 'cache', 'session', 'keys', jsonb_agg(key))
		FROM ended, LATERAL (VALUES (session_key(ended.token)), (ended.previous_key)) AS known (key)
		WHERE ended.expires_at > now() AND key IS NOT NULL
		HAVING count(*) > 0;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER session_ended AFTER DELETE ON session REFERENCING OLD TABLE AS ended FOR EACH STATEMENT EXECUTE FUNCTION session_ended();
--> statement-breakpoint
-- A new token ends the old one; a session may also be shortened.
CREATE FUNCTION session_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.token <> OLD.token THEN
		NEW.previous_key := session_key(OLD.token);
		INSERT INTO session_tombstone (key, session_id, user_id, reason)
			VALUES (NEW.previous_key, OLD.id, OLD.user_id, 'rotated');
	END IF;
	INSERT INTO cache_outbox (bus, message)
		SELECT 'platform', jsonb_build_object('kind', 'keys', 'cache', 'session', 'keys', jsonb_agg(key))
		FROM (VALUES (session_key(OLD.token)), (OLD.previous_key)) AS known (key)
		WHERE key IS NOT NULL;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER session_changed BEFORE UPDATE ON session FOR EACH ROW
	WHEN (OLD.token <> NEW.token OR OLD.user_id <> NEW.user_id OR OLD.expires_at > NEW.expires_at)
	EXECUTE FUNCTION session_changed();
--> statement-breakpoint
-- What sessions say of their user changes with it; a ban ends them, so that none is alive after it.
CREATE FUNCTION session_user_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		IF NEW.banned AND NOT OLD.banned THEN
			DELETE FROM session WHERE user_id = NEW.id;
		END IF;
	END IF;
	INSERT INTO cache_outbox (bus, message)
		VALUES ('platform', jsonb_build_object('kind', 'tags', 'tags', jsonb_build_array('user:' || OLD.id)));
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER session_user_changed AFTER UPDATE ON "user" FOR EACH ROW
	WHEN ((OLD.name, OLD.email, OLD.image, OLD.role, OLD.banned, OLD.ban_expires)
		IS DISTINCT FROM (NEW.name, NEW.email, NEW.image, NEW.role, NEW.banned, NEW.ban_expires))
	EXECUTE FUNCTION session_user_changed();
--> statement-breakpoint
CREATE TRIGGER session_user_deleted AFTER DELETE ON "user" FOR EACH ROW EXECUTE FUNCTION session_user_changed();
--> statement-breakpoint
-- Who knew the old password is signed out with it.
CREATE FUNCTION session_password_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM "user" WHERE id = NEW.user_id FOR NO KEY UPDATE;
	DELETE FROM session WHERE user_id = NEW.user_id;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER session_password_changed AFTER UPDATE OF password ON account FOR EACH ROW
	WHEN (OLD.password <> NEW.password)
	EXECUTE FUNCTION session_password_changed();
