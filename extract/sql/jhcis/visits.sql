{# The visits that have a wanted lab result or a vaccination, one row each.

   JHCIS has no hospital number; the person's number, pid, is used. The scheme is the visit's main_inscl, else the group
   of its right, which the map in his.toml translates. -#}

SELECT
    v.pcucode AS hcode,
    (
        SELECT MAX(h.hosname) FROM chospital h WHERE h.hoscode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
    ) AS hospital_name,
    v.visitno AS vn,
    v.pid AS hn,
    v.visitdate AS visit_date,
    v.timestart AS visit_time,
    p.idcard AS cid,
    NULL AS passport_no,
    {{ "COALESCE(t.titlename, p.prename)" if has("ctitle.titlecode", "ctitle.titlename") else "p.prename" }} AS title,
    p.fname,
    p.lname,
    p.birth AS dob,
    p.sex,
    {{ "p.marystatus" if has("person.marystatus") else "NULL" }} AS marriage,
    {{ "j.occupaname" if has("coccupa.occupaname", "person.occupa") else "NULL" }} AS occupa,
    {% if has("cnation.nationcode", "person.nation") %}
    n.nationcode AS nation,
    {% else %}
    {{ "p.nation" if has("person.nation") else "NULL" }} AS nation,
    {% endif %}
    {% if has("visit.main_inscl") %}
    CASE WHEN TRIM(v.main_inscl) <> '' THEN v.main_inscl ELSE r.rightgroup END AS scheme,
    {% else %}
    r.rightgroup AS scheme,
    {% endif %}
    {{ "p.marystatus" if has("person.marystatus") else "NULL" }} AS local_marriage,
    {{ "p.occupa" if has("person.occupa") else "NULL" }} AS local_occupa,
    {{ "p.nation" if has("person.nation") else "NULL" }} AS local_nation,
    v.rightcode AS local_scheme,
    {{ "s.statusname" if has("cstatus.statusname", "person.marystatus") else "NULL" }} AS marriage_name,
    {{ "n.nationname" if has("cnation.nationcode", "cnation.nationname", "person.nation") else "NULL" }} AS nation_name,
    {{ "r.rightname" if has("cright.rightname") else "NULL" }} AS scheme_name,
    {{ "v.claimcode_nhso" if has("visit.claimcode_nhso") else "NULL" }} AS closing_code,
    NULL AS his_claim_uid,
    NULL AS his_claim_kinds,
    0 AS antenatal,
    NULL AS gravida,
    NULL AS ga_week
FROM visit v
LEFT JOIN person p ON p.pcucodeperson = v.pcucodeperson AND p.pid = v.pid
LEFT JOIN cright r ON r.rightcode = v.rightcode
{% if has("ctitle.titlecode", "ctitle.titlename") %}
LEFT JOIN ctitle t ON t.titlecode = p.prename
{% endif %}
{% if has("coccupa.occupaname", "person.occupa") %}
LEFT JOIN coccupa j ON j.occupacode = p.occupa
{% endif %}
{% if has("cstatus.statusname", "person.marystatus") %}
LEFT JOIN cstatus s ON s.statuscode = p.marystatus
{% endif %}
{% if has("cnation.nationcode", "person.nation") %}
LEFT JOIN cnation n ON n.nationcode = p.nation
{% endif %}
WHERE v.pcucode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
    AND v.visitno IN :visit_numbers
