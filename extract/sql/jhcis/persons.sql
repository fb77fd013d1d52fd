{# The diagnoses that are paid only when new of persons by their number (pid) and, where an index serves, their identity
   number: of each code the first day before :day. Days stored in Buddhist years have rows of their own. A local code is
   replaced by the disease it is mapped to. -#}

{% set mapped = has("cdisease.diseasecode", "cdisease.mapdisease") %}
{% macro icd10() %}
{% if mapped %}
CASE WHEN TRIM(c.mapdisease) <> '' THEN c.mapdisease ELSE b.diagcode END
{%- else %}
b.diagcode
{%- endif %}
{% endmacro %}
SELECT f.pid AS hn, f.idcard AS cid, {{ icd10() }} AS icd10, MIN(p.visitdate) AS dx_date
FROM (
    SELECT n.pcucodeperson, n.pid, n.idcard
    FROM person n
    WHERE n.pcucodeperson = (SELECT MIN(o.offid) FROM office o WHERE o.offid <> '0000x')
        AND n.pid IN :person_numbers
    {% if indexed("person.idcard") %}
    UNION
    -- the same person under another number
    SELECT i.pcucodeperson, i.pid, i.idcard
    FROM person i
    WHERE i.idcard IN :identity_numbers
    {% endif %}
) f
JOIN visit p ON p.pcucodeperson = f.pcucodeperson AND p.pid = f.pid
JOIN visitdiag b ON b.pcucode = p.pcucode AND b.visitno = p.visitno
{% if mapped %}
LEFT JOIN cdisease c ON c.diseasecode = b.diagcode
{% endif %}
WHERE COALESCE(p.flagservice, '') <> '99'
    AND UPPER(SUBSTR(TRIM({{ icd10() }}), 1, 3)) IN :first_time_icd10
    AND (
        (p.visitdate > :zero_day AND p.visitdate < :day)
        OR (p.visitdate > :first_buddhist_day AND p.visitdate < :buddhist_day)
    )
GROUP BY f.pid, f.idcard, {{ icd10() }}, CASE WHEN p.visitdate > :first_buddhist_day THEN 1 ELSE 0 END
