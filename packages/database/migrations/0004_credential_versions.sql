ALTER TABLE "account" ADD COLUMN "credential_versions" text;--> statement-breakpoint
ALTER TABLE "session" ADD COLUMN "source_session_id" text;--> statement-breakpoint
ALTER TABLE "session" ADD COLUMN "credential_versions" text;--> statement-breakpoint
-- A constant default first: a random one would rewrite the table under an exclusive lock.
ALTER TABLE "user" ADD COLUMN "credential_version" uuid DEFAULT '00000000-0000-4000-8000-000000000000' NOT NULL;--> statement-breakpoint
ALTER TABLE "user" ALTER COLUMN "credential_version" SET DEFAULT gen_random_uuid();--> statement-breakpoint
ALTER TABLE "session" ADD CONSTRAINT "session_source_session_id_session_id_fk" FOREIGN KEY ("source_session_id") REFERENCES "session"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "session_impersonated_by" ON "session" USING btree ("impersonated_by") WHERE "session"."impersonated_by" is not null;--> statement-breakpoint
CREATE INDEX "session_source" ON "session" USING btree ("source_session_id") WHERE "session"."source_session_id" is not null;
--> statement-breakpoint
CREATE FUNCTION ban_in_force(banned boolean, ban_expires timestamp with time zone) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT banned AND (ban_expires IS NULL OR ban_expires > now())
$$;
--> statement-breakpoint
-- A change of the e-mail, the role or the ban renews the user's credential version.
CREATE FUNCTION user_credential_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.credential_version := gen_random_uuid();
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER user_credential_changed BEFORE UPDATE ON "user" FOR EACH ROW
	WHEN (OLD.email <> NEW.email OR OLD.role <> NEW.role
		OR (ban_in_force(NEW.banned, NEW.ban_expires) AND NOT ban_in_force(OLD.banned, OLD.ban_expires)))
	EXECUTE FUNCTION user_credential_changed();
--> statement-breakpoint
-- A new password does so too, and an account that is moved or unlinked. The row reports the new version,
-- so that the writer of a password can rely on it (UPDATE ... RETURNING).
CREATE FUNCTION account_credential_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	renewed uuid;
BEGIN
	UPDATE "user" SET credential_version = gen_random_uuid() WHERE id = OLD.user_id
		RETURNING credential_version INTO renewed;
	IF TG_OP = 'DELETE' THEN
		RETURN NULL;
	END IF;
	IF NEW.user_id = OLD.user_id THEN
		NEW.credential_versions := jsonb_build_object(NEW.user_id, renewed);
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER account_credential_changed BEFORE UPDATE ON account FOR EACH ROW
	WHEN ((OLD.password, OLD.user_id, OLD.provider_id, OLD.account_id)
		IS DISTINCT FROM (NEW.password, NEW.user_id, NEW.provider_id, NEW.account_id))
	EXECUTE FUNCTION account_credential_changed();
--> statement-breakpoint
CREATE TRIGGER account_credential_deleted AFTER DELETE ON account FOR EACH ROW EXECUTE FUNCTION account_credential_changed();
--> statement-breakpoint
-- Locks users, in the order of their ids, and compares the versions that a write relies on.
-- TF003: a credential changed after it was verified, or its user was deleted.
CREATE FUNCTION credential_admit(versions jsonb, also text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	ids text[] := also || ARRAY(SELECT jsonb_object_keys(versions));
	stale text;
BEGIN
	PERFORM FROM "user" WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
	SELECT relied.id INTO stale FROM jsonb_each_text(versions) AS relied (id, version)
		LEFT JOIN "user" person ON person.id = relied.id
		WHERE person.credential_version::text IS DISTINCT FROM relied.version LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the credentials of user % changed after they were verified', stale USING ERRCODE = 'TF003';
	END IF;
END $$;
--> statement-breakpoint
-- Fires only for a write that names the versions on which it relies (before the trigger above).
CREATE FUNCTION account_admit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM credential_admit(NEW.credential_versions::jsonb);
	NEW.credential_versions := NULL;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER account_admit BEFORE INSERT OR UPDATE OF credential_versions ON account FOR EACH ROW
	WHEN (NEW.credential_versions IS NOT NULL)
	EXECUTE FUNCTION account_admit();
--> statement-breakpoint
-- Admits or refuses a session. The rows of the user and of the impersonator are locked, so that sign-ins, bans,
-- new passwords and "sign out everywhere" of one user come one after the other.
-- TF001: the user is banned. TF002: the user has as many sessions as are allowed. TF003: see
-- credential_admit. TF004: the impersonator is no administrator any more, or is signed out.
CREATE OR REPLACE FUNCTION session_admit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	person "user";
	source_expires_at timestamp with time zone;
	policy session_policy;
	excess bigint;
BEGIN
	PERFORM credential_admit(NEW.credential_versions::jsonb, ARRAY[NEW.user_id, NEW.impersonated_by]);
	NEW.credential_versions := NULL;
	SELECT * INTO person FROM "user" WHERE id = NEW.user_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'user % does not exist', NEW.user_id USING ERRCODE = 'TF003';
	END IF;
	IF ban_in_force(person.banned, person.ban_expires) THEN
		RAISE EXCEPTION 'the user is banned' USING ERRCODE = 'TF001';
	END IF;
	IF NEW.impersonated_by IS NOT NULL THEN
		-- FOR SHARE: the source neither ends nor is shortened until this session exists. A release that
		-- does not name the source relies on any session of the impersonator.
		SELECT source.expires_at INTO source_expires_at
			FROM session source JOIN "user" impersonator ON impersonator.id = source.user_id
			WHERE source.user_id = NEW.impersonated_by AND source.id = coalesce(NEW.source_session_id, source.id)
				AND source.impersonated_by IS NULL AND source.expires_at > now()
				AND impersonator.role = 'admin' AND NOT ban_in_force(impersonator.banned, impersonator.ban_expires)
			ORDER BY source.expires_at DESC LIMIT 1 FOR SHARE OF source;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'user % has no session as an administrator', NEW.impersonated_by USING ERRCODE = 'TF004';
		END IF;
		NEW.expires_at := least(NEW.expires_at, source_expires_at);
		RETURN NEW;
	END IF;
	SELECT * INTO policy FROM session_policy;
	IF policy.max_sessions IS NULL THEN
		RETURN NEW;
	END IF;
	SELECT count(*) - policy.max_sessions + 1 INTO excess
		FROM session WHERE user_id = NEW.user_id AND impersonated_by IS NULL AND expires_at > now();
	IF excess > 0 AND policy.on_exceeded = 'reject' THEN
		RAISE EXCEPTION 'the user has % sessions already', policy.max_sessions USING ERRCODE = 'TF002';
	END IF;
	DELETE FROM session WHERE id IN (
		SELECT id FROM session WHERE user_id = NEW.user_id AND impersonated_by IS NULL AND expires_at > now()
		ORDER BY created_at, id LIMIT greatest(excess, 0)
	);
	RETURN NEW;
END $$;
--> statement-breakpoint
-- The statement that ends a session also writes its tombstone and the messages for all instances. A
-- session that names its source ends by its foreign key; one that does not, with any session of its
-- impersonator.
CREATE OR REPLACE FUNCTION session_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM ended) THEN
		RETURN NULL;
	END IF;
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
	DELETE FROM session USING ended
		WHERE session.impersonated_by = ended.user_id AND session.source_session_id IS NULL;
	RETURN NULL;
END $$;
--> statement-breakpoint
-- A new token ends the old one; a session may also be shortened, and those that depend on it with it.
CREATE OR REPLACE FUNCTION session_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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
	UPDATE session SET expires_at = NEW.expires_at
		WHERE expires_at > NEW.expires_at AND (source_session_id = NEW.id
			OR (impersonated_by = NEW.user_id AND source_session_id IS NULL));
	RETURN NEW;
END $$;
--> statement-breakpoint
-- Keeps the end of an impersonation: Better Auth prolongs each session that is used.
CREATE FUNCTION session_impersonation_used() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.expires_at := OLD.expires_at;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER session_impersonation_used BEFORE UPDATE ON session FOR EACH ROW
	WHEN (OLD.impersonated_by IS NOT NULL AND NEW.expires_at > OLD.expires_at)
	EXECUTE FUNCTION session_impersonation_used();
--> statement-breakpoint
-- A change of a user invalidates the cached sessions of the user. A ban ends them. A ban, another role
-- or the deletion of a user ends the sessions in which the user acts for others. Another role also ends
-- the impersonations of the user.
CREATE OR REPLACE FUNCTION session_user_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		DELETE FROM session WHERE impersonated_by = OLD.id;
	ELSIF ban_in_force(NEW.banned, NEW.ban_expires) AND NOT ban_in_force(OLD.banned, OLD.ban_expires) THEN
		DELETE FROM session WHERE user_id = NEW.id OR impersonated_by = NEW.id;
	ELSIF NEW.role <> OLD.role THEN
		DELETE FROM session WHERE impersonated_by = NEW.id OR (user_id = NEW.id AND impersonated_by IS NOT NULL);
	END IF;
	INSERT INTO cache_outbox (bus, message)
		VALUES ('platform', jsonb_build_object('kind', 'tags', 'tags', jsonb_build_array('user:' || OLD.id)));
	RETURN NULL;
END $$;
--> statement-breakpoint
-- A new password ends every session of its user, and those in which the user acts for others.
CREATE OR REPLACE FUNCTION session_password_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM "user" WHERE id = NEW.user_id FOR NO KEY UPDATE;
	DELETE FROM session WHERE user_id = NEW.user_id OR impersonated_by = NEW.user_id;
	RETURN NULL;
END $$;
--> statement-breakpoint
-- Ends the impersonations of the release before: they do not name a source.
DELETE FROM session WHERE impersonated_by IS NOT NULL;
