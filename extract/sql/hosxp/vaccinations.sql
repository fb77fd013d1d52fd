{# The day's vaccinations of the five families, as stored: a dose may stand in two of them.

   given_at is the moment of the dose where the family keeps one; else given_date and given_time, the visit's, count.
   In ovst_vaccine lot and expiry are spelt differently from the other four. -#}

{% set branches = namespace(count=0) %}
{% set by_doctor = has("doctor.code", "doctor.name", "doctor.licenseno") %}
{% macro provider() %}
{{ "r.name" if by_doctor else "NULL" }} AS provider_name,
    {{ "r.licenseno" if by_doctor else "NULL" }} AS license_no
{%- endmacro %}
{% if has("ovst_vaccine.vn", "person_vaccine.export_vaccine_code") %}
{% set branches.count = 1 %}
{% set by_his = has("ovst_vaccine_eligible.ovst_vaccine_id", "ovst_vaccine_eligible.claim_transaction_uid") %}
SELECT
    o.vn,
    v.export_vaccine_code AS vaccine_code,
    v.person_vaccine_id AS local_code,
    v.vaccine_name,
    d.vaccine_lot_no AS lot_number,
    d.expire_date AS expiration_date,
    {{ "d.immunization_datetime" if has("ovst_vaccine.immunization_datetime") else "NULL" }} AS given_at,
    o.vstdate AS given_date,
    o.vsttime AS given_time,
    {{ "d.dose_qty" if has("ovst_vaccine.dose_qty") else "NULL" }} AS dose_quantity,
    NULL AS manufacturer,
    {{ provider() }},
    'ovst' AS family,
    {{ "e.uid" if by_his else "NULL" }} AS his_claim_uid
FROM ovst o
JOIN ovst_vaccine d ON d.vn = o.vn
LEFT JOIN person_vaccine v ON v.person_vaccine_id = d.person_vaccine_id
{% if by_doctor %}
LEFT JOIN doctor r ON r.code = d.doctor_code
{% endif %}
{% if by_his %}
LEFT JOIN (
    -- newer HOSxP sends claims itself: the dose is claimed already
    SELECT q.ovst_vaccine_id, MAX(q.claim_transaction_uid) AS uid
    FROM ovst oq
    JOIN ovst_vaccine dq ON dq.vn = oq.vn
    JOIN ovst_vaccine_eligible q ON q.ovst_vaccine_id = dq.ovst_vaccine_id
    WHERE oq.vstdate IN (:day, :buddhist_day)
    GROUP BY q.ovst_vaccine_id
) e ON e.ovst_vaccine_id = d.ovst_vaccine_id
{% endif %}
WHERE o.vstdate IN (:day, :buddhist_day)
{% endif %}
{% for family, service, detail, service_id, vaccine, doctor in [
    ("wbc", "person_wbc_service", "person_wbc_vaccine_detail", "person_wbc_service_id", "wbc_vaccine", "doctor_code"),
    ("epi", "person_epi_vaccine", "person_epi_vaccine_list", "person_epi_vaccine_id", "epi_vaccine", "doctor_code"),
    ("school", "village_student_vaccine", "village_student_vaccine_list", "village_student_vaccine_id", "student_vaccine",
        "doctor_code"),
    ("anc", "person_anc_service", "person_anc_service_detail", "person_anc_service_id", "anc_service", "anc_doctor_code"),
] if has(service ~ ".vn", detail, vaccine ~ ".export_vaccine_code") %}
{{ "UNION ALL" if branches.count else "" }}
{% set branches.count = branches.count + 1 %}
SELECT
    o.vn,
    v.export_vaccine_code AS vaccine_code,
    d.{{ vaccine }}_id AS local_code,
    v.{{ vaccine }}_name AS vaccine_name,
    d.vaccine_lotno AS lot_number,
    d.vaccine_expire_date AS expiration_date,
    NULL AS given_at,
    o.vstdate AS given_date,
    o.vsttime AS given_time,
    NULL AS dose_quantity,
    NULL AS manufacturer,
    {{ provider() }},
    '{{ family }}' AS family,
    NULL AS his_claim_uid
FROM ovst o
JOIN {{ service }} s ON s.vn = o.vn
JOIN {{ detail }} d ON d.{{ service_id }} = s.{{ service_id }}
LEFT JOIN {{ vaccine }} v ON v.{{ vaccine }}_id = d.{{ vaccine }}_id
{% if by_doctor %}
LEFT JOIN doctor r ON r.code = d.{{ doctor }}
{% endif %}
WHERE o.vstdate IN (:day, :buddhist_day)
    {# antenatal services are mostly no vaccinations: one has a vaccine's code, or at least a lot #}
    {{ "AND (TRIM(v.export_vaccine_code) <> '' OR TRIM(d.vaccine_lotno) <> '')" if family == "anc" else "" }}
{% endfor %}
{% if not branches.count %}
{# no vaccine table at all: no rows #}
SELECT
    o.vn, NULL AS vaccine_code, NULL AS local_code, NULL AS vaccine_name, NULL AS lot_number, NULL AS expiration_date,
    NULL AS given_at, NULL AS given_date, NULL AS given_time, NULL AS dose_quantity, NULL AS manufacturer,
    NULL AS provider_name, NULL AS license_no, '' AS family, NULL AS his_claim_uid
FROM ovst o
WHERE 1 = 0
{% endif %}
