{# The visits that have a wanted lab result or a vaccination, one row each.

   visit_pttype and the eligibility tables may have several rows per visit; each is reduced to one row per visit before
   it is joined. -#}

{% set by_dose = has("ovst_nhso_eligible.ovst_nhso_eligible_id", "ovst_vaccine_eligible.ovst_nhso_eligible_id",
    "ovst_vaccine_eligible.ovst_vaccine_id", "ovst_vaccine.vn") %}
{% set claimed_kinds %}
{% if claim_types and has("ovst_nhso_eligible.nhso_eligible_type_id") %}
{# the four words, without those of kinds that no transaction is about; one of a type that is not listed is about all #}
{% for kind in ["dm", "ht", "epi", "dt"] %}
    REPLACE(
{%- endfor %} 'dm ht epi dt'
{%- for kind in ["dm", "ht", "epi", "dt"] -%}
    , CASE MAX(CASE
    {% for type, kinds in claim_types.items() if kind not in kinds %}
        WHEN q.nhso_eligible_type_id = {{ type }} THEN 0
    {% endfor %}
        ELSE 1 END) WHEN 1 THEN '-' ELSE '{{ kind }}' END, '')
{%- endfor %}
{%- else %}
NULL
{%- endif %}
{% endset %}
{% set week = "s.pa_week" if has("person_anc_service.pa_week") else "NULL" %}

SELECT
    (SELECT MAX(c.hospitalcode) FROM opdconfig c) AS hcode,
    (SELECT MAX(c.hospitalname) FROM opdconfig c) AS hospital_name,
    o.vn,
    o.hn,
    o.vstdate AS visit_date,
    o.vsttime AS visit_time,
    p.cid,
    {{ "p.passport_no" if has("patient.passport_no") else "NULL" }} AS passport_no,
    p.pname AS title,
    p.fname,
    p.lname,
    p.birthday AS dob,
    p.sex,
    {% if has("marrystatus.nhso_marriage_code", "patient.marrystatus") %}
    m.nhso_marriage_code AS marriage,
    {% else %}
    {{ "p.marrystatus" if has("patient.marrystatus") else "NULL" }} AS marriage,
    {% endif %}
    {{ "j.name" if has("occupation.name", "patient.occupation") else "NULL" }} AS occupa,
    {% if has("nationality.nhso_code", "patient.nationality") %}
    n.nhso_code AS nation,
    {% else %}
    {{ "p.nationality" if has("patient.nationality") else "NULL" }} AS nation,
    {% endif %}
    t.hipdata_code AS scheme,
    {{ "p.marrystatus" if has("patient.marrystatus") else "NULL" }} AS local_marriage,
    {{ "p.occupation" if has("patient.occupation") else "NULL" }} AS local_occupa,
    {{ "p.nationality" if has("patient.nationality") else "NULL" }} AS local_nation,
    o.pttype AS local_scheme,
    {{ "m.name" if has("marrystatus.name", "marrystatus.nhso_marriage_code", "patient.marrystatus") else "NULL" }} AS marriage_name,
    {{ "n.name" if has("nationality.name", "nationality.nhso_code", "patient.nationality") else "NULL" }} AS nation_name,
    {{ "t.name" if has("pttype.name") else "NULL" }} AS scheme_name,
    {{ "r.code" if has("visit_pttype.auth_code") or has("visit_pttype.claim_code") else "NULL" }} AS closing_code,
    {{ "e.uid" if has("ovst_nhso_eligible.claim_transaction_uid") else "NULL" }} AS his_claim_uid,
    {{ "e.kinds" if has("ovst_nhso_eligible.claim_transaction_uid") else "NULL" }} AS his_claim_kinds,
    {% if has("person_anc_service.vn", "person_anc.preg_no") %}
    CASE WHEN a.vn IS NULL THEN 0 ELSE 1 END AS antenatal,
    a.gravida,
    a.ga_week
    {% else %}
    0 AS antenatal,
    NULL AS gravida,
    NULL AS ga_week
    {% endif %}
FROM ovst o
LEFT JOIN patient p ON p.hn = o.hn
LEFT JOIN pttype t ON t.pttype = o.pttype
{% if has("marrystatus.nhso_marriage_code", "patient.marrystatus") %}
LEFT JOIN marrystatus m ON m.code = p.marrystatus
{% endif %}
{% if has("occupation.name", "patient.occupation") %}
LEFT JOIN occupation j ON j.occupation = p.occupation
{% endif %}
{% if has("nationality.nhso_code", "patient.nationality") %}
LEFT JOIN nationality n ON n.nationality = p.nationality
{% endif %}
{% if has("visit_pttype.auth_code") or has("visit_pttype.claim_code") %}
LEFT JOIN (
    -- EP (closed) is preferred to PP (opened, not closed), and is also first in the alphabet; older sites store it in claim_code
    SELECT v.vn, MIN(CASE
        {% for start in ["EP", "PP"] %}
        {% for column in ["auth_code", "claim_code"] if has("visit_pttype." ~ column) %}
        WHEN UPPER(TRIM(v.{{ column }})) LIKE '{{ start }}%' THEN UPPER(TRIM(v.{{ column }}))
        {% endfor %}
        {% endfor %}
        END) AS code
    FROM visit_pttype v
    WHERE v.vn IN :visits
    GROUP BY v.vn
) r ON r.vn = o.vn
{% endif %}
{% if has("ovst_nhso_eligible.claim_transaction_uid") %}
LEFT JOIN (
    -- newer HOSxP sends claims itself, so the visit may be claimed already
    SELECT q.vn, MAX(q.claim_transaction_uid) AS uid, {{ claimed_kinds }} AS kinds
    FROM ovst_nhso_eligible q
    WHERE q.vn IN :visits
        AND TRIM(q.claim_transaction_uid) <> ''
        {% for column in ["claim_status_code", "claim_status"] if has("ovst_nhso_eligible." ~ column) %}
        AND COALESCE(TRIM(CAST(q.{{ column }} AS CHAR(100))), '') NOT IN :refused_statuses
        {% endfor %}
        {% for type, kinds in claim_types.items() if not kinds and has("ovst_nhso_eligible.nhso_eligible_type_id") %}
        AND COALESCE(q.nhso_eligible_type_id, -1) <> {{ type }}
        {% endfor %}
        {% if by_dose %}
        -- a claim of doses is about these alone
        AND NOT EXISTS (
            SELECT 1
            FROM ovst_vaccine x
            JOIN ovst_vaccine_eligible y ON y.ovst_vaccine_id = x.ovst_vaccine_id
            WHERE x.vn = q.vn AND y.ovst_nhso_eligible_id = q.ovst_nhso_eligible_id
        )
        {% endif %}
    GROUP BY q.vn
) e ON e.vn = o.vn
{% endif %}
{% if has("person_anc_service.vn", "person_anc.preg_no") %}
LEFT JOIN (
    -- of several services at the visit one, whole: of the latest pregnancy; of its services one that says the week; the last
    SELECT s.vn, g.preg_no AS gravida, {{ week }} AS ga_week
    FROM person_anc_service s
    LEFT JOIN person_anc g ON g.person_anc_id = s.person_anc_id
    WHERE s.vn IN :visits
        AND s.person_anc_service_id = (
            SELECT b.person_anc_service_id
            FROM person_anc_service b
            LEFT JOIN person_anc c ON c.person_anc_id = b.person_anc_id
            WHERE b.vn = s.vn
            ORDER BY
                COALESCE(c.preg_no, 0) DESC,
                {{ "CASE WHEN b.pa_week > 0 THEN 0 ELSE 1 END," if has("person_anc_service.pa_week") }}
                b.person_anc_service_id DESC
            LIMIT 1
        )
) a ON a.vn = o.vn
{% endif %}
WHERE o.vn IN :visits
