-- A change of the e-mail address, the role or the ban renews the credential version of the user.
CREATE OR REPLACE FUNCTION user_credential_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.credential_version := gen_random_uuid();
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER user_credential_changed BEFORE UPDATE ON "user" FOR EACH ROW
	WHEN (OLD.email <> NEW.email OR OLD.role <> NEW.role
		OR (ban_in_force(NEW.banned, NEW.ban_expires) AND NOT ban_in_force(OLD.banned, OLD.ban_expires)))
	EXECUTE FUNCTION user_credential_changed();
--> statement-breakpoint
-- A new password renews the version, and so does an account that is moved or unlinked. The row reports
-- the new version, so that the writer of a password can rely on it (UPDATE ... RETURNING).
CREATE OR REPLACE FUNCTION account_credential_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE TRIGGER account_credential_changed BEFORE UPDATE ON account FOR EACH ROW
	WHEN ((OLD.password, OLD.user_id, OLD.provider_id, OLD.account_id)
		IS DISTINCT FROM (NEW.password, NEW.user_id, NEW.provider_id, NEW.account_id))
	EXECUTE FUNCTION account_credential_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER account_credential_deleted AFTER DELETE ON account FOR EACH ROW EXECUTE FUNCTION account_credential_changed();
--> statement-breakpoint
-- Runs only for a write that names the versions on which it relies. Its trigger fires before
-- account_credential_changed, since triggers fire in the order of their names.
CREATE OR REPLACE FUNCTION account_admit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM credential_admit(NEW.credential_versions::jsonb);
	NEW.credential_versions := NULL;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER account_admit BEFORE INSERT OR UPDATE OF credential_versions ON account FOR EACH ROW
	WHEN (NEW.credential_versions IS NOT NULL)
	EXECUTE FUNCTION account_admit();
