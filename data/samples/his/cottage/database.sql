-- COTTAGE: an invented health centre's database with invented people, for docs/new-his.md and its test.
CREATE TABLE centre (centre_code VARCHAR(5) PRIMARY KEY, centre_name VARCHAR(100));
CREATE TABLE client (
    client_no VARCHAR(10) PRIMARY KEY, citizen_id VARCHAR(17), prefix VARCHAR(20), given_name VARCHAR(50),
    family_name VARCHAR(50), born DATE, gender CHAR(1), civil CHAR(1), job VARCHAR(4), nation VARCHAR(3)
);
CREATE INDEX ix_client_citizen ON client (citizen_id);
CREATE TABLE job (job VARCHAR(4) PRIMARY KEY, job_name VARCHAR(50));
CREATE TABLE payer (payer VARCHAR(4) PRIMARY KEY, payer_name VARCHAR(50), scheme VARCHAR(5));
CREATE TABLE encounter (
    enc_no INTEGER PRIMARY KEY, client_no VARCHAR(10), enc_day DATE, enc_time TIME, payer VARCHAR(4),
    cancelled CHAR(1), endpoint VARCHAR(20)
);
CREATE INDEX ix_encounter_day ON encounter (enc_day);
CREATE INDEX ix_encounter_client ON encounter (client_no);
CREATE TABLE problem (enc_no INTEGER, place INTEGER, icd VARCHAR(7), PRIMARY KEY (enc_no, place));
CREATE TABLE test_item (item VARCHAR(8) PRIMARY KEY, item_name VARCHAR(50));
CREATE TABLE test (
    test_no INTEGER PRIMARY KEY, enc_no INTEGER, item VARCHAR(8), answer VARCHAR(50), answered_day DATE,
    answered_time TIME
);
CREATE INDEX ix_test_enc ON test (enc_no);
CREATE TABLE product (product INTEGER PRIMARY KEY, product_name VARCHAR(50), standard VARCHAR(6));
CREATE TABLE staff (staff INTEGER PRIMARY KEY, staff_name VARCHAR(100), licence VARCHAR(20));
CREATE TABLE jab (
    jab_no INTEGER PRIMARY KEY, enc_no INTEGER, product INTEGER, lot VARCHAR(20), expires DATE, staff INTEGER
);
CREATE INDEX ix_jab_enc ON jab (enc_no);
INSERT INTO centre VALUES ('10953', 'ศูนย์สุขภาพตัวอย่าง');
INSERT INTO job VALUES ('01', 'เกษตรกร'), ('02', 'ค้าขาย'), ('03', 'นักเรียน');
INSERT INTO payer VALUES ('P1', 'บัตรทอง', 'UCS'), ('P2', 'ข้าราชการ', 'OFC'), ('P9', 'โครงการพิเศษ', NULL);
INSERT INTO client VALUES
    ('C0001', '1-9999-00000-01-3', 'นาย', 'สมมุติ', 'ตัวอย่างดี', '1961-03-09', 'M', 'M', '01', '099'),
    ('C0002', '1999900000021', 'นาง', 'สมใจ', 'ตัวอย่างงาม', '1970-07-21', 'F', 'W', '02', '099'),
    ('C0003', '1999900000030', 'ด.ช.', 'น้อย', 'ตัวอย่างน้อย', '2026-03-10', 'M', 'S', NULL, '099');
INSERT INTO encounter VALUES
    (1, 'C0001', '2026-05-14', '08:30:00', 'P1', 'N', 'EP0000000001'),
    (2, 'C0002', '2026-05-14', '09:10:00', 'P1', 'N', 'EP0000000002'),
    (3, 'C0003', '2026-05-14', '10:00:00', 'P1', 'N', 'EP0000000003'),
    (4, 'C0001', '2026-05-14', '13:15:00', 'P1', 'Y', NULL),
    (5, 'C0002', '2026-05-15', '08:05:00', 'P1', 'N', 'EP0000000005');
INSERT INTO problem VALUES (1, 1, 'E11.9'), (2, 1, 'I10'), (3, 1, 'Z27.1'), (4, 1, 'E11.9'), (5, 1, 'Z23.5');
INSERT INTO test_item VALUES
    ('A1C', 'HbA1c'), ('CREA', 'Creatinine'), ('K', 'Potassium'), ('POCT', 'Creatinine (POCT)'), ('FBS', 'Glucose');
INSERT INTO test VALUES
    (1, 1, 'A1C', '7.4', '2026-05-14', '11:00:00'), (2, 2, 'POCT', '0.92', '2026-05-14', '11:05:00'),
    (3, 1, 'FBS', '133', '2026-05-14', '11:00:00'), (4, 4, 'A1C', '7.5', '2026-05-14', '14:00:00');
INSERT INTO product VALUES (1, 'ดีทีพี-ตับอักเสบบี-ฮิบ 1', 'D21'), (2, 'ดีทีผู้ใหญ่', '106');
INSERT INTO staff VALUES (7, 'พว.มานะ ตัวอย่าง', '4511111111');
INSERT INTO jab VALUES (1, 3, 1, 'L-2601', '2027-12-31', 7), (2, 5, 2, 'L-2602', '2027-10-31', 7);
