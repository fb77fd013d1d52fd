{# Vaccinations of a day or of named visits, of visits that were not cancelled. Doses without a visit number were given elsewhere.

   A vaccine is a drug of type 05; files18epi is its standard code, 201 to 205 being doses in antenatal care. It was given
   by the visit's user; of several users of one name, deleted ones are used only if there is no other. -#}

{% set by_user = has("user.username", "user.fullname", "user.noofoccupation", "visit.username") %}
{% if has("visitepi.vaccinecode", "cdrug.files18epi") %}
SELECT
    v.visitno AS vn,
    CASE WHEN d.drugtype = '05' THEN d.files18epi END AS vaccine_code,
    e.vaccinecode AS local_code,
    d.drugname AS vaccine_name,
    e.lotno AS lot_number,
    e.datevacineexpire AS expiration_date,
    NULL AS given_at,
    e.dateepi AS given_date,
    CASE WHEN e.dateepi = v.visitdate THEN v.timestart END AS given_time,
    NULL AS dose_quantity,
    {{ "e.manufacturer" if has("visitepi.manufacturer") else "NULL" }} AS manufacturer,
    {{ "u.fullname" if by_user else "NULL" }} AS provider_name,
    {{ "u.noofoccupation" if by_user else "NULL" }} AS license_no,
    CASE WHEN d.files18epi IN ('201', '202', '203', '204', '205') THEN 'anc' ELSE 'epi' END AS family,
    NULL AS his_claim_uid
FROM visit v
JOIN visitepi e ON e.pcucode = v.pcucode AND e.visitno = v.visitno
LEFT JOIN cdrug d ON d.drugcode = e.vaccinecode
{% if by_user %}
LEFT JOIN {{ quoted("user") }} u ON u.pcucode = v.pcucode AND u.username = v.username
    {% if has("user.markdelete") %}
    AND (COALESCE(u.markdelete, '') <> '1' OR NOT EXISTS (
        SELECT 1 FROM {{ quoted("user") }} w
        WHERE w.pcucode = u.pcucode AND w.username = u.username AND COALESCE(w.markdelete, '') <> '1'
    ))
    {% endif %}
{% endif %}
WHERE {{ "v.visitno IN :visit_numbers" if by_visit else "v.visitdate IN (:day, :buddhist_day)" }}
    AND COALESCE(v.flagservice, '') <> '99'
    AND v.pcucode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
{% else %}
{# without any vaccine table: no rows #}
SELECT
    v.visitno AS vn, NULL AS vaccine_code, NULL AS local_code, NULL AS vaccine_name, NULL AS lot_number,
    NULL AS expiration_date, NULL AS given_at, NULL AS given_date, NULL AS given_time, NULL AS dose_quantity,
    NULL AS manufacturer, NULL AS provider_name, NULL AS license_no, '' AS family, NULL AS his_claim_uid
FROM visit v
WHERE 1 = 0
{% endif %}
