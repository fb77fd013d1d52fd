{# The visits that have a wanted lab result or a vaccination, one row each.

   visit_pttype and the eligibility tables may have several rows per visit; each is reduced to one row per visit before
   it is joined. -#}

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
    SELECT q.vn, MAX(q.claim_transaction_uid) AS uid
    FROM ovst_nhso_eligible q
    WHERE q.vn IN :visits
    GROUP BY q.vn
) e ON e.vn = o.vn
{% endif %}
{% if has("person_anc_service.vn", "person_anc.preg_no") %}
LEFT JOIN (
    SELECT s.vn, MAX(g.preg_no) AS gravida, MAX({{ "s.pa_week" if has("person_anc_service.pa_week") else "NULL" }}) AS ga_week
    FROM person_anc_service s
    LEFT JOIN person_anc g ON g.person_anc_id = s.person_anc_id
    WHERE s.vn IN :visits
    GROUP BY s.vn
) a ON a.vn = o.vn
{% endif %}
WHERE o.vn IN :visits
