-- TF005: the statement demotes, bans or deletes the last administrator who is not banned. The lock is
-- held until the transaction ends. Two administrators who demote each other at the same time run one
-- after the other, and the second sees the result of the first (in READ COMMITTED, the default).
CREATE OR REPLACE FUNCTION user_last_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('threefold'), hashtext('administrators'));
	IF NOT EXISTS (SELECT FROM "user" WHERE role = 'admin' AND NOT ban_in_force(banned, ban_expires)) THEN
		RAISE EXCEPTION 'user % is the last administrator', OLD.id USING ERRCODE = 'TF005';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
-- Triggers fire in the order of their names: these are the last, so that no other work runs under the
-- lock.
CREATE OR REPLACE TRIGGER user_last_administrator_changed AFTER UPDATE ON "user" FOR EACH ROW
	WHEN (OLD.role = 'admin' AND NOT ban_in_force(OLD.banned, OLD.ban_expires)
		AND (NEW.role <> 'admin' OR ban_in_force(NEW.banned, NEW.ban_expires)))
	EXECUTE FUNCTION user_last_administrator();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER user_last_administrator_deleted AFTER DELETE ON "user" FOR EACH ROW
	WHEN (OLD.role = 'admin' AND NOT ban_in_force(OLD.banned, OLD.ban_expires))
	EXECUTE FUNCTION user_last_administrator();
