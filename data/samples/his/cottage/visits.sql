{# The encounters that have such a result or vaccination. -#}

SELECT
    (SELECT MAX(h.centre_code) FROM centre h) AS hcode,
    (SELECT MAX(h.centre_name) FROM centre h) AS hospital_name,
    e.enc_no AS vn,
    e.client_no AS hn,
    e.enc_day AS visit_date,
    e.enc_time AS visit_time,
    c.citizen_id AS cid,
    NULL AS passport_no,
    c.prefix AS title,
    c.given_name AS fname,
    c.family_name AS lname,
    c.born AS dob,
    CASE c.gender WHEN 'M' THEN '1' WHEN 'F' THEN '2' END AS sex,
    c.civil AS marriage,
    j.job_name AS occupa,
    c.nation AS nation,
    y.scheme AS scheme,
    c.civil AS local_marriage,
    c.job AS local_occupa,
    c.nation AS local_nation,
    e.payer AS local_scheme,
    {{ "e.endpoint" if has("encounter.endpoint") else "NULL" }} AS closing_code,
    NULL AS his_claim_uid,
    NULL AS his_claim_kinds,
    0 AS antenatal,
    NULL AS gravida,
    NULL AS ga_week,
    NULL AS marriage_name,
    NULL AS nation_name,
    y.payer_name AS scheme_name
FROM encounter e
LEFT JOIN client c ON c.client_no = e.client_no
LEFT JOIN job j ON j.job = c.job
LEFT JOIN payer y ON y.payer = e.payer
WHERE e.enc_no IN :visit_numbers
