{# The encounters' diagnoses, the first of which is the principal one; then what the person had before. -#}

SELECT
    p.enc_no AS vn,
    p.icd AS icd10,
    CASE WHEN p.place = 1 THEN '1' ELSE '2' END AS dx_type,
    e.enc_day AS dx_date,
    e.enc_time AS dx_time,
    0 AS earlier
FROM encounter e
JOIN problem p ON p.enc_no = e.enc_no
WHERE e.enc_no IN :visit_numbers
{% if wanted.first_time_icd10 %}

UNION ALL

SELECT e.enc_no, p.icd, '1', b.enc_day, b.enc_time, 1
FROM encounter e
JOIN encounter b ON b.client_no = e.client_no
JOIN problem p ON p.enc_no = b.enc_no
WHERE e.enc_no IN :visit_numbers
    AND b.cancelled = 'N'
    AND UPPER(SUBSTR(p.icd, 1, 3)) IN :first_time_icd10
    AND b.enc_day < :day
{% endif %}
