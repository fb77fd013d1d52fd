{# What persons were diagnosed with before, by their number or, under whatever number, their identity number. -#}

SELECT c.client_no AS hn, c.citizen_id AS cid, p.icd AS icd10, MIN(b.enc_day) AS dx_date
FROM (
    SELECT n.client_no, n.citizen_id FROM client n WHERE n.client_no IN :persons
    {% if indexed("client.citizen_id") %}
    UNION
    SELECT i.client_no, i.citizen_id FROM client i WHERE i.citizen_id IN :identity_numbers
    {% endif %}
) c
JOIN encounter b ON b.client_no = c.client_no
JOIN problem p ON p.enc_no = b.enc_no
WHERE b.cancelled = 'N'
    AND b.enc_day < :day
    AND UPPER(SUBSTR(p.icd, 1, 3)) IN :first_time_icd10
GROUP BY c.client_no, c.citizen_id, p.icd
