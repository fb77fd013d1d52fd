{# The diagnoses that are paid only when new of persons by their hospital number and, where an index serves, their identity
   number: of each code the first day before :day. Days stored in Buddhist years have rows of their own. -#}

SELECT f.hn, f.cid, b.icd10, MIN(p.vstdate) AS dx_date
FROM (
    SELECT n.hn, n.cid
    FROM patient n
    WHERE n.hn IN :persons
    {% if indexed("patient.cid") %}
    UNION
    -- the same person under another hospital number
    SELECT i.hn, i.cid
    FROM patient i
    WHERE i.cid IN :identity_numbers
    {% endif %}
) f
JOIN ovst p ON p.hn = f.hn
JOIN ovstdiag b ON b.vn = p.vn
WHERE UPPER(SUBSTR(TRIM(b.icd10), 1, 3)) IN :first_time_icd10
    AND (
        (p.vstdate > :zero_day AND p.vstdate < :day)
        OR (p.vstdate > :first_buddhist_day AND p.vstdate < :buddhist_day)
    )
GROUP BY f.hn, f.cid, b.icd10, CASE WHEN p.vstdate > :first_buddhist_day THEN 1 ELSE 0 END
