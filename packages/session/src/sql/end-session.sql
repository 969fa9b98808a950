-- The name of a session outside its table: the SHA-256 (hex) of its token.
CREATE OR REPLACE FUNCTION session_key(token text) RETURNS text LANGUAGE sql STABLE RETURN encode(sha256(convert_to(token, 'UTF8')), 'hex');
--> statement-breakpoint
-- The statement that ends a session also writes its tombstone and the messages for all instances (S6).
-- A session that names its source ends by its foreign key. A session without a source ends with any
-- session of its impersonator.
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
CREATE OR REPLACE TRIGGER session_ended AFTER DELETE ON session REFERENCING OLD TABLE AS ended FOR EACH STATEMENT EXECUTE FUNCTION session_ended();
--> statement-breakpoint
-- A new token ends the old token. A shorter session shortens the sessions that depend on it.
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
CREATE OR REPLACE TRIGGER session_changed BEFORE UPDATE ON session FOR EACH ROW
	WHEN (OLD.token <> NEW.token OR OLD.user_id <> NEW.user_id OR OLD.expires_at > NEW.expires_at)
	EXECUTE FUNCTION session_changed();
--> statement-breakpoint
-- Preserves the end of an impersonation: Better Auth prolongs each session that is used.
CREATE OR REPLACE FUNCTION session_impersonation_used() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.expires_at := OLD.expires_at;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER session_impersonation_used BEFORE UPDATE ON session FOR EACH ROW
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
CREATE OR REPLACE TRIGGER session_user_changed AFTER UPDATE ON "user" FOR EACH ROW
	WHEN ((OLD.name, OLD.email, OLD.image, OLD.role, OLD.banned, OLD.ban_expires)
		IS DISTINCT FROM (NEW.name, NEW.email, NEW.image, NEW.role, NEW.banned, NEW.ban_expires))
	EXECUTE FUNCTION session_user_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER session_user_deleted AFTER DELETE ON "user" FOR EACH ROW EXECUTE FUNCTION session_user_changed();
--> statement-breakpoint
-- A new password ends every session of its user, and the sessions in which the user acts for others.
CREATE OR REPLACE FUNCTION session_password_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM "user" WHERE id = NEW.user_id FOR NO KEY UPDATE;
	DELETE FROM session WHERE user_id = NEW.user_id OR impersonated_by = NEW.user_id;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER session_password_changed AFTER UPDATE OF password ON account FOR EACH ROW
	WHEN (OLD.password <> NEW.password)
	EXECUTE FUNCTION session_password_changed();
