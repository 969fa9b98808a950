-- Whether a ban holds now.
CREATE OR REPLACE FUNCTION ban_in_force(banned boolean, ban_expires timestamp with time zone) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT banned AND (ban_expires IS NULL OR ban_expires > now())
$$;
--> statement-breakpoint
-- Locks the rows of users in the order of their ids, and compares the credential versions on which a
-- write relies. TF003: a credential changed after it was verified, or its user was deleted.
CREATE OR REPLACE FUNCTION credential_admit(versions jsonb, also text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
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
-- Admits or refuses a session (S6). The rows of the user and of the impersonator are locked, so that
-- sign-ins, bans, new passwords and "sign out everywhere" of one user run one after the other.
-- TF001: the user is banned. TF002: the user has the maximum number of sessions. TF003: see
-- credential_admit. TF004: the impersonator is not a signed-in administrator.
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
CREATE OR REPLACE TRIGGER session_admit BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION session_admit();
