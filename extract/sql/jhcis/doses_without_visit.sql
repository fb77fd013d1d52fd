{# How many doses of the day name no visit and were not given elsewhere: they cannot be claimed.

   Counted where the day is indexed: else the rows of all years would have to be read. -#}

{% if has("visitepi.dateepi") and indexed("visitepi.dateepi") %}
SELECT COUNT(*) AS doses
FROM visitepi e
WHERE e.dateepi IN (:day, :buddhist_day)
    AND COALESCE(e.visitno, 0) = 0
    AND COALESCE(e.pcucode, '') = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
    {% if has("visitepi.hosservice") %}
    AND COALESCE(TRIM(e.hosservice), '') IN ('', (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x'))
    {% endif %}
{% else %}
SELECT 0 AS doses
{% endif %}
