BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE alert (
	"key" TEXT NOT NULL, 
	title TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	runbook TEXT NOT NULL, 
	since DATETIME NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	last_seen_at DATETIME NOT NULL, 
	rounds INTEGER NOT NULL, 
	sent_at DATETIME, 
	pending TEXT NOT NULL, 
	cleared_at DATETIME, 
	claimed_until DATETIME, 
	CONSTRAINT pk_alert PRIMARY KEY ("key"), 
	CONSTRAINT ck_alert_severity CHECK (severity IN ('error', 'warning'))
);
CREATE TABLE erp_posting (
	refund_id TEXT NOT NULL, 
	external_id TEXT, 
	state TEXT NOT NULL, 
	reason TEXT, 
	detail TEXT, 
	fingerprint TEXT, 
	attempts INTEGER NOT NULL, 
	intended_at DATETIME, 
	erp_id TEXT, 
	amount TEXT, 
	posted_at DATETIME, 
	next_attempt_at DATETIME, 
	verified_at DATETIME, 
	difference TEXT, 
	updated_at DATETIME NOT NULL, 
	run_id TEXT NOT NULL, 
	CONSTRAINT pk_erp_posting PRIMARY KEY (refund_id), 
	CONSTRAINT ck_erp_posting_state CHECK (state IN ('intended', 'uncertain', 'retry', 'posted', 'held')), 
	CONSTRAINT fk_erp_posting_refund_id FOREIGN KEY(refund_id) REFERENCES refund_event (refund_id)
);
INSERT INTO "erp_posting" VALUES('e3e70682-c209-4cac-a29f-6fbed82c07cd','apz-e3e70682c2094caca29f6fbed82c07cd','posted',NULL,NULL,'fbbf2405f241632d41ab01b53898a51edecc2bd558a914eda4b2d6665841c366',1,'2026-11-20 12:00:00.000000','90001','12.50','2026-11-20 12:00:00.000000',NULL,'2026-11-20 12:00:00.000000',NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('cd613e30-d8f1-4adf-91b7-584a2265b1f5','apz-cd613e30d8f14adf91b7584a2265b1f5','posted',NULL,NULL,'2d49524cb8213b9d9988a59360b0dde8e13beb979f6ed14325b38685965484f9',1,'2026-11-20 12:00:00.000000','90002','12.50','2026-11-20 12:00:00.000000',NULL,NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('db5b5fab-8f4d-4e27-9da1-494c73cf256d','apz-db5b5fab8f4d4e279da1494c73cf256d','held','conflicting_erp_record','record 70001 bears apz-db5b5fab8f4d4e279da1494c73cf256d, but currency 99 instead of 1','e2720afdf0ccdb46d06e793c7935796b3923d2faa19ff281be505dac3d768ddb',0,NULL,'70001',NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('d95bafc8-f2a4-427b-9cf4-bb99f4bea973','apz-d95bafc8f2a4427b9cf4bb99f4bea973','uncertain','erp_uncertain','read timed out','bdb583bdfc3d7c8c074e8c4a8f3119844d5a592cd31116b889f38bad9bd7ff3a',1,'2026-11-20 12:00:00.000000',NULL,NULL,NULL,'2026-11-20 12:00:55.612371',NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('21636369-8b52-4b4a-97b7-50923ceb3ffd','apz-216363698b524b4a97b750923ceb3ffd','uncertain','erp_uncertain','connection reset','c245a3bb9a3bab813fe6e6f25c96c31ff5f8e5067229357251d90ffe991fdd66',1,'2026-11-20 12:00:00.000000',NULL,NULL,NULL,'2026-11-20 12:00:55.612371',NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('5bc8fbbc-bde5-4099-8164-d8399f767c45','apz-5bc8fbbcbde540998164d8399f767c45','retry','erp_unavailable','down','3f12fc129604d402f16d45ab9049fb353623ee7a5c1b068a487923e40c1d44e6',1,'2026-11-20 12:00:00.000000',NULL,NULL,NULL,'2026-11-20 12:00:55.612371',NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','apz-4462ebfc5f914ef09cfbac6e7687a66e','held','refused_by_erp','USER_ERROR','67504e2b9c29cb0da11030de632c6f381587711b02ce74508508bb8ea2da5061',1,'2026-11-20 12:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "erp_posting" VALUES('b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','apz-b8a1abcd1a6946c78da4f9fc3c6da5d7','intended','erp_uncertain','a write was begun; its outcome is not recorded yet','e838eb67d59aa12be7c6bbfbd19e08d49b65fb39920ff16c4a1673fe95db24f3',1,'2026-11-20 12:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:00:00.000000','an-older-version');
CREATE TABLE landed_file (
	"key" TEXT NOT NULL, 
	etag TEXT NOT NULL, 
	landing_day DATE NOT NULL, 
	kind TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	lines INTEGER NOT NULL, 
	new INTEGER NOT NULL, 
	duplicates INTEGER NOT NULL, 
	conflicts INTEGER NOT NULL, 
	rejected INTEGER NOT NULL, 
	other INTEGER NOT NULL, 
	other_events TEXT NOT NULL, 
	read_at DATETIME NOT NULL, 
	run_id TEXT NOT NULL, 
	CONSTRAINT pk_landed_file PRIMARY KEY ("key", etag), 
	CONSTRAINT ck_landed_file_kind CHECK (kind IN ('export', 'stray'))
);
INSERT INTO "landed_file" VALUES('events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f','2026-11-20','export',6726,19,16,1,0,1,1,'{"order.created": 1}','2026-11-20 12:00:00.000000','an-older-version');
INSERT INTO "landed_file" VALUES('events/demo/1795172400000-data-x.export','0f16ed5d7ac02dd1725ffdc5e9f05926','2026-11-20','export',372,1,0,0,1,0,0,'{}','2026-11-20 12:00:00.000000','an-older-version');
CREATE TABLE order_payment (
	refund_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT, 
	detail TEXT, 
	order_record TEXT, 
	payment_lines TEXT, 
	attempts INTEGER NOT NULL, 
	checked_at DATETIME NOT NULL, 
	next_attempt_at DATETIME, 
	run_id TEXT NOT NULL, refund_record TEXT, not_ours BOOLEAN, order_number TEXT, 
	CONSTRAINT pk_order_payment PRIMARY KEY (refund_id), 
	CONSTRAINT ck_order_payment_state CHECK (state IN ('available', 'awaiting', 'held')), 
	CONSTRAINT fk_order_payment_refund_id FOREIGN KEY(refund_id) REFERENCES refund_event (refund_id)
);
INSERT INTO "order_payment" VALUES('e3e70682-c209-4cac-a29f-6fbed82c07cd','available',NULL,NULL,'{"order_id":"4c5dd2b9-c31a-42da-a776-418993f24a6e","order_number":"SO-4c5dd2b9","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-4c5dd2b9');
INSERT INTO "order_payment" VALUES('cd613e30-d8f1-4adf-91b7-584a2265b1f5','available',NULL,NULL,'{"order_id":"de59dc1d-d323-4246-9003-f5b05b35d365","order_number":"SO-de59dc1d","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-de59dc1d');
INSERT INTO "order_payment" VALUES('d95bafc8-f2a4-427b-9cf4-bb99f4bea973','available',NULL,NULL,'{"order_id":"9898b050-1b61-4e5e-ba20-eb0e63d1f49b","order_number":"SO-9898b050","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-9898b050');
INSERT INTO "order_payment" VALUES('21636369-8b52-4b4a-97b7-50923ceb3ffd','available',NULL,NULL,'{"order_id":"6bda55d1-0142-468f-b3e7-8201df92cfb4","order_number":"SO-6bda55d1","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-6bda55d1');
INSERT INTO "order_payment" VALUES('b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','available',NULL,NULL,'{"order_id":"d6871b6b-a3d8-4194-bbd0-395d9b4f775e","order_number":"SO-d6871b6b","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-d6871b6b');
INSERT INTO "order_payment" VALUES('5bc8fbbc-bde5-4099-8164-d8399f767c45','available',NULL,NULL,'{"order_id":"aa80401d-884f-45ce-9a5b-f577ccd0b2b6","order_number":"SO-aa80401d","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-aa80401d');
INSERT INTO "order_payment" VALUES('14a03569-d26b-4496-92e5-dfe8cb1855fe','awaiting','payments_incomplete','the order is not visible in NewStore yet',NULL,NULL,1,'2026-11-20 12:00:00.000000','2026-11-20 12:00:55.612371','an-older-version',NULL,0,NULL);
INSERT INTO "order_payment" VALUES('6513270e-269e-4d37-b2a7-4de452e6b438','available',NULL,NULL,'{"order_id":"2557a420-49be-443e-82f9-2a5841acbb9c","order_number":"SO-2557a420","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-2557a420');
INSERT INTO "order_payment" VALUES('6018366c-f658-47a7-9ed3-4fe53a096533','available',NULL,NULL,'{"order_id":"e722b0d6-7671-47e6-ae14-73d02511e955","order_number":"SO-e722b0d6","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"unknown","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-e722b0d6');
INSERT INTO "order_payment" VALUES('4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','available',NULL,NULL,'{"order_id":"1c4861b8-5837-4d21-b574-421b5198a0de","order_number":"SO-1c4861b8","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-1c4861b8');
INSERT INTO "order_payment" VALUES('db5b5fab-8f4d-4e27-9da1-494c73cf256d','available',NULL,NULL,'{"order_id":"4b63bb2f-819c-4306-8d9c-dc372617a2ea","order_number":"SO-4b63bb2f","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-4b63bb2f');
INSERT INTO "order_payment" VALUES('85750621-02fb-4d4f-b57f-bc5af71a1bfc','available',NULL,NULL,'{"order_id":"84b6c63c-3889-40be-92b0-daf82164b286","order_number":"SO-84b6c63c","placed_at":"2026-11-20T12:00:00Z","store_id":"NYC01","currency":"USD","channel":"NYC01","channel_type":"store","items":[{"product_id":"sku","quantity":"1","pricebook_price":"50.00","item_discounts":"0","order_discounts":"0","tax":"0","shipping_service_level":"IN_STORE_HANDOVER","fulfillment_location_id":"NYC01"}],"is_exchange":false,"is_historical":false}','[{"method":"credit_card","provider":"adyen","amount":"12.50","currency":"USD","gift_card_last4":null}]',1,'2026-11-20 12:00:00.000000',NULL,'an-older-version','{"return_id":null,"is_historical":false,"status":"succeeded"}',0,'SO-84b6c63c');
CREATE TABLE refund_event (
	refund_id TEXT NOT NULL, 
	tenant TEXT NOT NULL, 
	landing_day DATE NOT NULL, 
	order_id TEXT NOT NULL, 
	payment_account_id TEXT NOT NULL, 
	amount TEXT NOT NULL, 
	currency TEXT NOT NULL, 
	requested_at DATETIME NOT NULL, 
	published_at DATETIME NOT NULL, 
	reason_code TEXT, 
	reason TEXT, 
	return_id TEXT, 
	is_historical BOOLEAN NOT NULL, 
	content_hash TEXT NOT NULL, 
	source_key TEXT NOT NULL, 
	source_etag TEXT NOT NULL, 
	source_line INTEGER NOT NULL, 
	landed_at DATETIME NOT NULL, 
	"conflict" TEXT, 
	conflict_at DATETIME, 
	unsettled BOOLEAN NOT NULL, by_hand_at DATETIME, 
	CONSTRAINT pk_refund_event PRIMARY KEY (refund_id), 
	CONSTRAINT fk_refund_event_source_key FOREIGN KEY(source_key, source_etag) REFERENCES landed_file ("key", etag)
);
INSERT INTO "refund_event" VALUES('e3e70682-c209-4cac-a29f-6fbed82c07cd','demo','2026-11-20','4c5dd2b9-c31a-42da-a776-418993f24a6e','4c5dd2b9-c31a-42da-a776-418993f24a6e','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'13f6a4df756dd057c32ca207b48ea6c5b70552876705674f1456e6a8a7241877','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',1,'2026-11-20 12:00:00.000000',NULL,NULL,0,NULL);
INSERT INTO "refund_event" VALUES('cd613e30-d8f1-4adf-91b7-584a2265b1f5','demo','2026-11-20','de59dc1d-d323-4246-9003-f5b05b35d365','de59dc1d-d323-4246-9003-f5b05b35d365','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'1335d28971f98672b3fdc9e55e7fb8abec3a443a2c94cc218ff1856d8b963549','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',2,'2026-11-20 12:00:00.000000',NULL,NULL,0,NULL);
INSERT INTO "refund_event" VALUES('d95bafc8-f2a4-427b-9cf4-bb99f4bea973','demo','2026-11-20','9898b050-1b61-4e5e-ba20-eb0e63d1f49b','9898b050-1b61-4e5e-ba20-eb0e63d1f49b','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'9a1a3a90f0d45bd2e9e72dad1fc3a8abdab563762fb468d3967fba720014b772','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',3,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('21636369-8b52-4b4a-97b7-50923ceb3ffd','demo','2026-11-20','6bda55d1-0142-468f-b3e7-8201df92cfb4','6bda55d1-0142-468f-b3e7-8201df92cfb4','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'73f60aceb5685a37df15237e013888a396e16d728ad85b74f8a87f6271a99486','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',4,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','demo','2026-11-20','d6871b6b-a3d8-4194-bbd0-395d9b4f775e','d6871b6b-a3d8-4194-bbd0-395d9b4f775e','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'b1ab573496ede3506e0e6d995c2d0c8428af876e9d165df5e97f1d7967b528b2','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',5,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('5bc8fbbc-bde5-4099-8164-d8399f767c45','demo','2026-11-20','aa80401d-884f-45ce-9a5b-f577ccd0b2b6','aa80401d-884f-45ce-9a5b-f577ccd0b2b6','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'82a5b24d39eed46202caa57a2be43044e155cd8ad86e5ab4b1730783aec1a56b','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',6,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('14a03569-d26b-4496-92e5-dfe8cb1855fe','demo','2026-11-20','ae54f002-2bc0-48a2-8e4a-e98c3cfb0f58','ae54f002-2bc0-48a2-8e4a-e98c3cfb0f58','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'9ea9e414b7b2e47206277b946d758b88aacbc468c769c4f344a181e6a2bb58f1','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',7,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('6513270e-269e-4d37-b2a7-4de452e6b438','demo','2026-11-20','2557a420-49be-443e-82f9-2a5841acbb9c','2557a420-49be-443e-82f9-2a5841acbb9c','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'320ba6f9a97dac6674caefab60e36188eca8719f22e37c58798e5abfd286eb11','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',8,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('6018366c-f658-47a7-9ed3-4fe53a096533','demo','2026-11-20','e722b0d6-7671-47e6-ae14-73d02511e955','e722b0d6-7671-47e6-ae14-73d02511e955','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'62c9f511e407c02e5ce6f975f82a3c401e08e0cf8c105fe96cfa9196b532464e','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',9,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','demo','2026-11-20','1c4861b8-5837-4d21-b574-421b5198a0de','1c4861b8-5837-4d21-b574-421b5198a0de','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'356dff7e1c5e558f94be7ccfde9bebe22b94fa8235e69e8af709a40adb4ab07e','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',10,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('7b89296c-6dcb-4c50-8857-7eb1924770d3','demo','2026-11-20','067e423b-46ed-4255-a9cc-ff718d0f7eef','067e423b-46ed-4255-a9cc-ff718d0f7eef','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'879b12c290678c3a6e59c2e900924bcb6937937f661407f7d1cc03e3696a86bf','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',11,'2026-11-20 12:00:00.000000','line 1 of events/demo/1795172400000-data-x.export says otherwise: reason_code','2026-11-20 12:00:00.000000',1,NULL);
INSERT INTO "refund_event" VALUES('db5b5fab-8f4d-4e27-9da1-494c73cf256d','demo','2026-11-20','4b63bb2f-819c-4306-8d9c-dc372617a2ea','4b63bb2f-819c-4306-8d9c-dc372617a2ea','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'83f7d5f3a7033ba174112bf425ae7ca34afaebed38de4ce1f878f904d51faf4b','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',12,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('87751d4c-a850-4e2c-84dc-da6a797d76de','demo','2026-11-20','05e5e227-c341-4194-a1f3-db8f74842faa','05e5e227-c341-4194-a1f3-db8f74842faa','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,1,'7c758ead708d666790f4ea7c050408a8ef162552a5dbbbbd647971aea81f9a03','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',13,'2026-11-20 12:00:00.000000',NULL,NULL,0,NULL);
INSERT INTO "refund_event" VALUES('e8d79f49-af6d-414c-8a6f-188a424e617b','demo','2026-11-20','aa5a3d4e-1b65-4812-be64-b3c65af6df08','aa5a3d4e-1b65-4812-be64-b3c65af6df08','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,'r-1',0,'40a881c877ec514d6bcbe15674fe7baf3fdca0887699ba335336cb02e269b939','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',14,'2026-11-20 12:00:00.000000',NULL,NULL,0,NULL);
INSERT INTO "refund_event" VALUES('c15521b1-b3dc-450a-9daa-37e51b591d75','demo','2026-11-20','ba3a3627-8da9-4244-b6bb-b2776b842209','ba3a3627-8da9-4244-b6bb-b2776b842209','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'897bf0379ecf5100702f0ede3a6f8260b6d43263df0ddbda5436fbdec9f9f288','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',15,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
INSERT INTO "refund_event" VALUES('85750621-02fb-4d4f-b57f-bc5af71a1bfc','demo','2026-11-20','84b6c63c-3889-40be-92b0-daf82164b286','84b6c63c-3889-40be-92b0-daf82164b286','12.50','USD','2026-11-20 12:00:00.000000','2026-11-20 12:00:00.000000',NULL,NULL,NULL,0,'47f880c00f0a4ee94d9d9e3ff0930b84001bc630fb1c94a929a977fd48c3d0ea','events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',16,'2026-11-20 12:00:00.000000',NULL,NULL,1,NULL);
CREATE TABLE refund_history (
	id INTEGER NOT NULL, 
	refund_id TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	from_status TEXT, 
	to_status TEXT NOT NULL, 
	reason TEXT, 
	detail TEXT, 
	run_id TEXT NOT NULL, 
	CONSTRAINT pk_refund_history PRIMARY KEY (id), 
	CONSTRAINT fk_refund_history_refund_id FOREIGN KEY(refund_id) REFERENCES refund_event (refund_id)
);
INSERT INTO "refund_history" VALUES(1,'14a03569-d26b-4496-92e5-dfe8cb1855fe','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(2,'21636369-8b52-4b4a-97b7-50923ceb3ffd','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(3,'4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(4,'5bc8fbbc-bde5-4099-8164-d8399f767c45','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(5,'6018366c-f658-47a7-9ed3-4fe53a096533','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(6,'6513270e-269e-4d37-b2a7-4de452e6b438','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(7,'7b89296c-6dcb-4c50-8857-7eb1924770d3','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(8,'85750621-02fb-4d4f-b57f-bc5af71a1bfc','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(9,'87751d4c-a850-4e2c-84dc-da6a797d76de','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(10,'b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(11,'c15521b1-b3dc-450a-9daa-37e51b591d75','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(12,'cd613e30-d8f1-4adf-91b7-584a2265b1f5','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(13,'d95bafc8-f2a4-427b-9cf4-bb99f4bea973','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(14,'db5b5fab-8f4d-4e27-9da1-494c73cf256d','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(15,'e3e70682-c209-4cac-a29f-6fbed82c07cd','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(16,'e8d79f49-af6d-414c-8a6f-188a424e617b','2026-11-20 12:00:00.000000',NULL,'landed',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(17,'7b89296c-6dcb-4c50-8857-7eb1924770d3','2026-11-20 12:00:00.000000','landed','held','conflicting_event','line 1 of events/demo/1795172400000-data-x.export says otherwise: reason_code','an-older-version');
INSERT INTO "refund_history" VALUES(18,'14a03569-d26b-4496-92e5-dfe8cb1855fe','2026-11-20 12:00:00.000000','landed','awaiting_payment','payments_incomplete','the order is not visible in NewStore yet','an-older-version');
INSERT INTO "refund_history" VALUES(19,'21636369-8b52-4b4a-97b7-50923ceb3ffd','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(20,'4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(21,'5bc8fbbc-bde5-4099-8164-d8399f767c45','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(22,'6018366c-f658-47a7-9ed3-4fe53a096533','2026-11-20 12:00:00.000000','landed','held','unmapped_tender','add to the mapping, under tenders: - { method: credit_card, provider: unknown, item: "<payment item id>" }','an-older-version');
INSERT INTO "refund_history" VALUES(23,'6513270e-269e-4d37-b2a7-4de452e6b438','2026-11-20 12:00:00.000000','landed','awaiting_origin','origin_missing','the cash sale of order SO-2557a420 is not in the ERP yet','an-older-version');
INSERT INTO "refund_history" VALUES(24,'85750621-02fb-4d4f-b57f-bc5af71a1bfc','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(25,'87751d4c-a850-4e2c-84dc-da6a797d76de','2026-11-20 12:00:00.000000','landed','skipped','historical','the refund was imported from another system','an-older-version');
INSERT INTO "refund_history" VALUES(26,'b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(27,'cd613e30-d8f1-4adf-91b7-584a2265b1f5','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(28,'d95bafc8-f2a4-427b-9cf4-bb99f4bea973','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(29,'db5b5fab-8f4d-4e27-9da1-494c73cf256d','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(30,'e3e70682-c209-4cac-a29f-6fbed82c07cd','2026-11-20 12:00:00.000000','landed','ready',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(31,'e8d79f49-af6d-414c-8a6f-188a424e617b','2026-11-20 12:00:00.000000','landed','skipped','belongs_to_return','the refund belongs to a return and is booked with it','an-older-version');
INSERT INTO "refund_history" VALUES(32,'e3e70682-c209-4cac-a29f-6fbed82c07cd','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
INSERT INTO "refund_history" VALUES(33,'e3e70682-c209-4cac-a29f-6fbed82c07cd','2026-11-20 12:00:00.000000','uncertain','posted',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(34,'cd613e30-d8f1-4adf-91b7-584a2265b1f5','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
INSERT INTO "refund_history" VALUES(35,'cd613e30-d8f1-4adf-91b7-584a2265b1f5','2026-11-20 12:00:00.000000','uncertain','posted',NULL,NULL,'an-older-version');
INSERT INTO "refund_history" VALUES(36,'db5b5fab-8f4d-4e27-9da1-494c73cf256d','2026-11-20 12:00:00.000000','ready','held','conflicting_erp_record','record 70001 bears apz-db5b5fab8f4d4e279da1494c73cf256d, but currency 99 instead of 1','an-older-version');
INSERT INTO "refund_history" VALUES(37,'d95bafc8-f2a4-427b-9cf4-bb99f4bea973','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
INSERT INTO "refund_history" VALUES(38,'21636369-8b52-4b4a-97b7-50923ceb3ffd','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
INSERT INTO "refund_history" VALUES(39,'5bc8fbbc-bde5-4099-8164-d8399f767c45','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
INSERT INTO "refund_history" VALUES(40,'5bc8fbbc-bde5-4099-8164-d8399f767c45','2026-11-20 12:00:00.000000','uncertain','ready','erp_unavailable','down','an-older-version');
INSERT INTO "refund_history" VALUES(41,'4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
INSERT INTO "refund_history" VALUES(42,'4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','2026-11-20 12:00:00.000000','uncertain','held','refused_by_erp','USER_ERROR','an-older-version');
INSERT INTO "refund_history" VALUES(43,'b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','2026-11-20 12:00:00.000000','ready','uncertain','erp_uncertain','a write was begun; its outcome is not recorded yet','an-older-version');
CREATE TABLE refund_transaction (
	refund_id TEXT NOT NULL, 
	external_id TEXT, 
	state TEXT NOT NULL, 
	reason TEXT, 
	detail TEXT, 
	record TEXT, 
	fingerprint TEXT, 
	mapping_version TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	built_at DATETIME NOT NULL, 
	next_attempt_at DATETIME, 
	run_id TEXT NOT NULL, 
	CONSTRAINT pk_refund_transaction PRIMARY KEY (refund_id), 
	CONSTRAINT ck_refund_transaction_state CHECK (state IN ('ready', 'awaiting_origin', 'held', 'skipped')), 
	CONSTRAINT fk_refund_transaction_refund_id FOREIGN KEY(refund_id) REFERENCES refund_event (refund_id), 
	CONSTRAINT uq_refund_transaction_external_id UNIQUE (external_id)
);
INSERT INTO "refund_transaction" VALUES('87751d4c-a850-4e2c-84dc-da6a797d76de',NULL,'skipped','historical','the refund was imported from another system',NULL,NULL,'v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('e8d79f49-af6d-414c-8a6f-188a424e617b',NULL,'skipped','belongs_to_return','the refund belongs to a return and is booked with it',NULL,NULL,'v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('e3e70682-c209-4cac-a29f-6fbed82c07cd','apz-e3e70682c2094caca29f6fbed82c07cd','ready',NULL,NULL,'{"refund_id":"e3e70682-c209-4cac-a29f-6fbed82c07cd","external_id":"apz-e3e70682c2094caca29f6fbed82c07cd","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-4c5dd2b9","memo":"Appeasement refund e3e70682-c209-4cac-a29f-6fbed82c07cd for order SO-4c5dd2b9","entity":"601","subsidiary":"1","location":"11","created_from":"93463","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-4c5dd2b9"],["custbody_nst_refund_id","e3e70682-c209-4cac-a29f-6fbed82c07cd"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','fbbf2405f241632d41ab01b53898a51edecc2bd558a914eda4b2d6665841c366','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('cd613e30-d8f1-4adf-91b7-584a2265b1f5','apz-cd613e30d8f14adf91b7584a2265b1f5','ready',NULL,NULL,'{"refund_id":"cd613e30-d8f1-4adf-91b7-584a2265b1f5","external_id":"apz-cd613e30d8f14adf91b7584a2265b1f5","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-de59dc1d","memo":"Appeasement refund cd613e30-d8f1-4adf-91b7-584a2265b1f5 for order SO-de59dc1d","entity":"601","subsidiary":"1","location":"11","created_from":"96465","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-de59dc1d"],["custbody_nst_refund_id","cd613e30-d8f1-4adf-91b7-584a2265b1f5"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','2d49524cb8213b9d9988a59360b0dde8e13beb979f6ed14325b38685965484f9','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('d95bafc8-f2a4-427b-9cf4-bb99f4bea973','apz-d95bafc8f2a4427b9cf4bb99f4bea973','ready',NULL,NULL,'{"refund_id":"d95bafc8-f2a4-427b-9cf4-bb99f4bea973","external_id":"apz-d95bafc8f2a4427b9cf4bb99f4bea973","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-9898b050","memo":"Appeasement refund d95bafc8-f2a4-427b-9cf4-bb99f4bea973 for order SO-9898b050","entity":"601","subsidiary":"1","location":"11","created_from":"93938","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-9898b050"],["custbody_nst_refund_id","d95bafc8-f2a4-427b-9cf4-bb99f4bea973"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','bdb583bdfc3d7c8c074e8c4a8f3119844d5a592cd31116b889f38bad9bd7ff3a','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('21636369-8b52-4b4a-97b7-50923ceb3ffd','apz-216363698b524b4a97b750923ceb3ffd','ready',NULL,NULL,'{"refund_id":"21636369-8b52-4b4a-97b7-50923ceb3ffd","external_id":"apz-216363698b524b4a97b750923ceb3ffd","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-6bda55d1","memo":"Appeasement refund 21636369-8b52-4b4a-97b7-50923ceb3ffd for order SO-6bda55d1","entity":"601","subsidiary":"1","location":"11","created_from":"93662","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-6bda55d1"],["custbody_nst_refund_id","21636369-8b52-4b4a-97b7-50923ceb3ffd"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','c245a3bb9a3bab813fe6e6f25c96c31ff5f8e5067229357251d90ffe991fdd66','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7','apz-b8a1abcd1a6946c78da4f9fc3c6da5d7','ready',NULL,NULL,'{"refund_id":"b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7","external_id":"apz-b8a1abcd1a6946c78da4f9fc3c6da5d7","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-d6871b6b","memo":"Appeasement refund b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7 for order SO-d6871b6b","entity":"601","subsidiary":"1","location":"11","created_from":"96436","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-d6871b6b"],["custbody_nst_refund_id","b8a1abcd-1a69-46c7-8da4-f9fc3c6da5d7"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','e838eb67d59aa12be7c6bbfbd19e08d49b65fb39920ff16c4a1673fe95db24f3','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('5bc8fbbc-bde5-4099-8164-d8399f767c45','apz-5bc8fbbcbde540998164d8399f767c45','ready',NULL,NULL,'{"refund_id":"5bc8fbbc-bde5-4099-8164-d8399f767c45","external_id":"apz-5bc8fbbcbde540998164d8399f767c45","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-aa80401d","memo":"Appeasement refund 5bc8fbbc-bde5-4099-8164-d8399f767c45 for order SO-aa80401d","entity":"601","subsidiary":"1","location":"11","created_from":"96161","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-aa80401d"],["custbody_nst_refund_id","5bc8fbbc-bde5-4099-8164-d8399f767c45"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','3f12fc129604d402f16d45ab9049fb353623ee7a5c1b068a487923e40c1d44e6','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('6513270e-269e-4d37-b2a7-4de452e6b438',NULL,'awaiting_origin','origin_missing','the cash sale of order SO-2557a420 is not in the ERP yet',NULL,NULL,'v1',1,'2026-11-20 12:00:00.000000','2026-11-20 12:01:04.169205','an-older-version');
INSERT INTO "refund_transaction" VALUES('6018366c-f658-47a7-9ed3-4fe53a096533',NULL,'held','unmapped_tender','add to the mapping, under tenders: - { method: credit_card, provider: unknown, item: "<payment item id>" }',NULL,NULL,'v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e','apz-4462ebfc5f914ef09cfbac6e7687a66e','ready',NULL,NULL,'{"refund_id":"4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e","external_id":"apz-4462ebfc5f914ef09cfbac6e7687a66e","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-1c4861b8","memo":"Appeasement refund 4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e for order SO-1c4861b8","entity":"601","subsidiary":"1","location":"11","created_from":"93163","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-1c4861b8"],["custbody_nst_refund_id","4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','67504e2b9c29cb0da11030de632c6f381587711b02ce74508508bb8ea2da5061','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('db5b5fab-8f4d-4e27-9da1-494c73cf256d','apz-db5b5fab8f4d4e279da1494c73cf256d','ready',NULL,NULL,'{"refund_id":"db5b5fab-8f4d-4e27-9da1-494c73cf256d","external_id":"apz-db5b5fab8f4d4e279da1494c73cf256d","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-4b63bb2f","memo":"Appeasement refund db5b5fab-8f4d-4e27-9da1-494c73cf256d for order SO-4b63bb2f","entity":"601","subsidiary":"1","location":"11","created_from":"93462","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-4b63bb2f"],["custbody_nst_refund_id","db5b5fab-8f4d-4e27-9da1-494c73cf256d"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','e2720afdf0ccdb46d06e793c7935796b3923d2faa19ff281be505dac3d768ddb','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
INSERT INTO "refund_transaction" VALUES('85750621-02fb-4d4f-b57f-bc5af71a1bfc','apz-8575062102fb4d4fb57fbc5af71a1bfc','ready',NULL,NULL,'{"refund_id":"85750621-02fb-4d4f-b57f-bc5af71a1bfc","external_id":"apz-8575062102fb4d4fb57fbc5af71a1bfc","business_date":"2026-11-20","amount":"12.50","currency":"USD","currency_id":"1","order_number":"SO-84b6c63c","memo":"Appeasement refund 85750621-02fb-4d4f-b57f-bc5af71a1bfc for order SO-84b6c63c","entity":"601","subsidiary":"1","location":"11","created_from":"93834","custom_form":"131","custom_fields":[["custbody_nst_order_number","SO-84b6c63c"],["custbody_nst_refund_id","85750621-02fb-4d4f-b57f-bc5af71a1bfc"]],"gift_card_field":"custcol_nst_gift_card_last4","lines":[{"item":"9001","amount":"12.50","label":"appeasement","gift_card_last4":null,"payment_option":null,"account":null},{"item":"8101","amount":"-12.50","label":"credit_card/adyen","gift_card_last4":null,"payment_option":null,"account":null}],"class_id":null,"payment_option":null,"account":null,"in_header":false}','8294e103a56b244ad711b31c245132f2c22baa88b6d3536030230a2ba1b73b5a','v1',0,'2026-11-20 12:00:00.000000',NULL,'an-older-version');
CREATE TABLE rejected_line (
	"key" TEXT NOT NULL, 
	etag TEXT NOT NULL, 
	line_number INTEGER NOT NULL, 
	landing_day DATE NOT NULL, 
	problems TEXT NOT NULL, 
	line_sha256 TEXT NOT NULL, 
	line_bytes BIGINT NOT NULL, 
	released_at DATETIME, 
	released_by TEXT, released_note TEXT, 
	CONSTRAINT pk_rejected_line PRIMARY KEY ("key", etag, line_number), 
	CONSTRAINT fk_rejected_line_key FOREIGN KEY("key", etag) REFERENCES landed_file ("key", etag)
);
INSERT INTO "rejected_line" VALUES('events/demo/1795168800000-data-x.export','8d19e0853827075fc199eb0c21f4344f',18,'2026-11-20','["$: is not JSON (Expecting property name enclosed in double quotes at character 1)"]','021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96',1,NULL,NULL,NULL);
INSERT INTO "rejected_line" VALUES('events/demo/1795172400000-data-x.export','0f16ed5d7ac02dd1725ffdc5e9f05926',1,'2026-11-20','["conflicting event for refund 7b89296c-6dcb-4c50-8857-7eb1924770d3: reason_code"]','',0,NULL,NULL,NULL);
CREATE TABLE resolution (
	id INTEGER NOT NULL, 
	refund_id TEXT NOT NULL, 
	action TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	note TEXT, 
	resolved_at DATETIME NOT NULL, tenders TEXT, 
	CONSTRAINT pk_resolution PRIMARY KEY (id), 
	CONSTRAINT fk_resolution_refund_id FOREIGN KEY(refund_id) REFERENCES refund_event (refund_id)
);
CREATE TABLE unknown_record (
	landing_day DATE NOT NULL, 
	external_id TEXT NOT NULL, 
	erp_id TEXT NOT NULL, 
	found_at DATETIME NOT NULL, 
	CONSTRAINT pk_unknown_record PRIMARY KEY (landing_day, external_id)
);
CREATE INDEX ix_landed_file_landing_day ON landed_file (landing_day);
CREATE INDEX ix_refund_event_landing_day_source_key_source_line ON refund_event (landing_day, source_key, source_line);
CREATE INDEX ix_refund_event_unsettled ON refund_event (landing_day) WHERE unsettled = 1;
CREATE INDEX ix_rejected_line_landing_day ON rejected_line (landing_day);
CREATE INDEX ix_resolution_refund_id ON resolution (refund_id);
CREATE INDEX ix_refund_history_refund_id_id ON refund_history (refund_id, id);
CREATE INDEX ix_refund_event_order_id ON refund_event (order_id);
CREATE INDEX ix_erp_posting_difference ON erp_posting (refund_id) WHERE difference IS NOT NULL;
CREATE INDEX ix_order_payment_order_number ON order_payment (order_number);
CREATE INDEX ix_erp_posting_erp_id ON erp_posting (erp_id);
CREATE INDEX ix_erp_posting_external_id ON erp_posting (external_id);
CREATE VIEW refund_status AS
SELECT refund_id, order_id, landing_day, amount, currency,
  CASE decided_by
    WHEN 'retry' THEN 'ready'
    WHEN 'conflict' THEN 'held' WHEN 'person' THEN 'skipped'
    WHEN 'landing' THEN 'landed'
    WHEN 'posting' THEN CASE posting_state WHEN 'intended' THEN 'uncertain' ELSE posting_state END
    WHEN 'transaction' THEN transaction_state
    WHEN 'payment' THEN CASE payment_state WHEN 'held' THEN 'held' ELSE 'awaiting_payment' END
  END AS status,
  CASE decided_by
    WHEN 'conflict' THEN 'conflicting_event' WHEN 'person' THEN 'handled_by_hand'
    WHEN 'retry' THEN posting_reason
    WHEN 'posting' THEN posting_reason
    WHEN 'transaction' THEN transaction_reason
    WHEN 'payment' THEN payment_reason
  END AS reason,
  CASE decided_by
    WHEN 'conflict' THEN conflict WHEN 'person' THEN 'a person handled it by hand; its history says who and why'
    WHEN 'retry' THEN posting_detail
    WHEN 'posting' THEN posting_detail
    WHEN 'transaction' THEN transaction_detail
    WHEN 'payment' THEN payment_detail
  END AS detail,
  CASE decided_by
    WHEN 'retry' THEN posting_attempts
    WHEN 'posting' THEN posting_attempts
    WHEN 'transaction' THEN transaction_attempts
    WHEN 'payment' THEN payment_attempts
    ELSE 0
  END AS attempts,
  CASE decided_by
    WHEN 'retry' THEN posting_next_attempt_at
    WHEN 'posting' THEN posting_next_attempt_at
    WHEN 'transaction' THEN transaction_next_attempt_at
    WHEN 'payment' THEN payment_next_attempt_at
  END AS next_attempt_at,
  external_id, erp_id,
  CASE decided_by
    WHEN 'conflict' THEN conflict_at WHEN 'person' THEN by_hand_at
    WHEN 'retry' THEN posting_updated_at
    WHEN 'posting' THEN posting_updated_at
    WHEN 'transaction' THEN built_at
    WHEN 'payment' THEN checked_at
    ELSE landed_at
  END AS updated_at
FROM (
  SELECT e.refund_id, e.order_id, e.landing_day, e.amount, e.currency,
    e.landed_at, e.conflict, e.conflict_at, e.by_hand_at,
    o.state AS payment_state, o.reason AS payment_reason, o.detail AS payment_detail,
    o.attempts AS payment_attempts, o.next_attempt_at AS payment_next_attempt_at, o.checked_at,
    t.state AS transaction_state, t.reason AS transaction_reason, t.detail AS transaction_detail,
    t.attempts AS transaction_attempts, t.next_attempt_at AS transaction_next_attempt_at,
    t.built_at,
    p.state AS posting_state, p.reason AS posting_reason, p.detail AS posting_detail,
    p.attempts AS posting_attempts, p.next_attempt_at AS posting_next_attempt_at,
    p.updated_at AS posting_updated_at,
    COALESCE(p.external_id, t.external_id) AS external_id, p.erp_id,
    CASE
      WHEN p.state = 'posted' THEN 'posting'
      WHEN e.by_hand_at IS NOT NULL AND COALESCE(p.state, '') NOT IN
        ('intended', 'uncertain') THEN 'person'
      WHEN e.conflict IS NOT NULL AND e.conflict <> 'handled_by_hand' THEN 'conflict'
      WHEN p.state IN ('intended', 'uncertain', 'held') THEN 'posting'
      WHEN t.state = 'ready' AND p.state = 'retry' THEN 'retry'
      WHEN t.state IS NOT NULL THEN 'transaction'
      WHEN o.state IN ('held', 'awaiting') THEN 'payment'
      ELSE 'landing'
    END AS decided_by
  FROM refund_event AS e
  LEFT JOIN order_payment AS o ON o.refund_id = e.refund_id
  LEFT JOIN refund_transaction AS t ON t.refund_id = e.refund_id
  LEFT JOIN erp_posting AS p ON p.refund_id = e.refund_id
) AS joined;
COMMIT;
