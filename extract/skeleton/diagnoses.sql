[% import "_guide.jinja" as guide with context %]
{# [[ say("วินิจฉัยทั้งหมดของครั้งเหล่านั้น", "All diagnoses of these visits.") ]]

   [[ say("และเมื่อมี wanted.first_time_icd10: วินิจฉัยครั้งก่อนของคนเดียวกัน (earlier = 1, vn ของวันนี้) ด้วย UNION ALL เช่น",
          "And with wanted.first_time_icd10 the person's earlier ones (earlier = 1, vn of this day's visit), by UNION ALL, such as:") ]]
     FROM visit v JOIN visit p ON p.hn = v.hn JOIN diagnosis d ON d.visit_no = p.visit_no
     WHERE v.visit_no IN :visits AND p.visit_day < :day AND SUBSTR(d.icd10, 1, 3) IN :first_time_icd10

   [[ say("พารามิเตอร์", "Parameters") ]]
[[ guide.parameters(of_visits + of_day + of_diagnoses) ]]
   [[ say("แม่แบบ (Jinja)", "Template (Jinja)") ]]
[[ guide.functions() -]]
#}
[[ guide.nulls(columns) -]]
