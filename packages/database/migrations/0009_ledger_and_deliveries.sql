CREATE TABLE "ledger_entry" (
	"payment_id" uuid NOT NULL,
	"account" text NOT NULL,
	"amount" bigint NOT NULL,
	"currency" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ledger_entry_payment_id_account_pk" PRIMARY KEY("payment_id","account"),
	CONSTRAINT "ledger_entry_amount_not_zero" CHECK ("ledger_entry"."amount" <> 0)
);
--> statement-breakpoint
CREATE TABLE "payment_delivery" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"body" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
-- Most payments get their entries before the statements that stop new payments, and before the triggers, so
-- that the time without payments depends little on their number.
INSERT INTO ledger_entry (payment_id, account, amount, currency, created_at)
	SELECT id, 'payer:' || payer_id, -amount, currency, created_at FROM payment
	UNION ALL SELECT id, 'merchant', amount, currency, created_at FROM payment;
--> statement-breakpoint
ALTER TABLE "ledger_entry" ADD CONSTRAINT "ledger_entry_payment_id_payment_id_fk" FOREIGN KEY ("payment_id") REFERENCES "public"."payment"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "payment_delivery_due" ON "payment_delivery" USING btree ("due_at");
--> statement-breakpoint
-- TF006: after the transaction, the entries of a payment would not sum to zero.
CREATE OR REPLACE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (
		SELECT FROM ledger_entry WHERE payment_id IN (OLD.payment_id, NEW.payment_id)
			GROUP BY payment_id, currency HAVING sum(amount) <> 0
	) THEN
		RAISE EXCEPTION 'the ledger entries of payment % do not sum to zero', coalesce(NEW.payment_id, OLD.payment_id)
			USING ERRCODE = 'TF006';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT OR UPDATE OR DELETE ON ledger_entry
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced();
--> statement-breakpoint
-- An instance of the release before this table writes payments without entries. They are added in its
-- transaction.
CREATE OR REPLACE FUNCTION payment_booked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM ledger_entry WHERE payment_id = NEW.id) THEN
		INSERT INTO ledger_entry (payment_id, account, amount, currency, created_at)
			VALUES (NEW.id, 'payer:' || NEW.payer_id, -NEW.amount, NEW.currency, NEW.created_at),
				(NEW.id, 'merchant', NEW.amount, NEW.currency, NEW.created_at);
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
-- The lock of this statement waits for payments in progress, so the next one reads all earlier payments.
CREATE CONSTRAINT TRIGGER payment_booked AFTER INSERT ON payment
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payment_booked();
--> statement-breakpoint
INSERT INTO ledger_entry (payment_id, account, amount, currency, created_at)
	SELECT id, account, entry, currency, created_at FROM payment,
		LATERAL (VALUES ('payer:' || payer_id, -amount), ('merchant', amount)) AS entries (account, entry)
	WHERE NOT EXISTS (SELECT FROM ledger_entry WHERE payment_id = payment.id);
