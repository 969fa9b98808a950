CREATE TABLE "api_key" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_key_user_id" ON "api_key" USING btree ("user_id");
--> statement-breakpoint
-- Admits or refuses an API key. The row of the user is locked, so that the creation of a key and a ban
-- of its user run one after the other. TF001: the user is banned. TF003: the user does not exist.
CREATE OR REPLACE FUNCTION api_key_admit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	person "user";
BEGIN
	SELECT * INTO person FROM "user" WHERE id = NEW.user_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'user % does not exist', NEW.user_id USING ERRCODE = 'TF003';
	END IF;
	IF ban_in_force(person.banned, person.ban_expires) THEN
		RAISE EXCEPTION 'the user is banned' USING ERRCODE = 'TF001';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER api_key_admit BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_admit();
--> statement-breakpoint
-- The statement that revokes, changes or removes a key also writes the message for all instances. A
-- write of the last use changes no right, and sends nothing. A revoked key stays revoked.
CREATE OR REPLACE FUNCTION api_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO cache_outbox (bus, message)
		VALUES ('platform', jsonb_build_object('kind', 'keys', 'cache', 'api-key', 'keys', jsonb_build_array(OLD.id)));
	IF TG_OP = 'DELETE' THEN
		RETURN OLD;
	END IF;
	NEW.revoked_at := coalesce(OLD.revoked_at, NEW.revoked_at);
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER api_key_changed BEFORE UPDATE ON api_key FOR EACH ROW
	WHEN ((OLD.id, OLD.user_id, OLD.name, OLD.hash, OLD.scopes, OLD.expires_at, OLD.revoked_at)
		IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.name, NEW.hash, NEW.scopes, NEW.expires_at, NEW.revoked_at))
	EXECUTE FUNCTION api_key_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER api_key_deleted BEFORE DELETE ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_changed();
--> statement-breakpoint
-- A ban revokes the keys of the user. They stay revoked when the ban is lifted.
CREATE OR REPLACE FUNCTION api_key_user_banned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE api_key SET revoked_at = now() WHERE user_id = NEW.id AND revoked_at IS NULL;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER api_key_user_banned AFTER UPDATE ON "user" FOR EACH ROW
	WHEN (ban_in_force(NEW.banned, NEW.ban_expires) AND NOT ban_in_force(OLD.banned, OLD.ban_expires))
	EXECUTE FUNCTION api_key_user_banned();
