[% import "_guide.jinja" as guide with context %]
{# [[ say("วัคซีนทุกเข็มของวันหนึ่ง ตามที่เก็บ", "The day's vaccinations, as they are stored.") ]]

   [[ say("เริ่มที่ตารางการรับบริการด้วยคอลัมน์วันที่ที่มีดัชนี เช่น", "Start at the visits by their indexed day, such as:") ]]
     FROM visit v JOIN dose x ON x.visit_no = v.visit_no WHERE v.visit_day IN (:day, :buddhist_day)
   [[ say("มีหลายตารางให้ใช้ UNION ALL โดยตั้ง family คนละชื่อ", "Several tables are joined with UNION ALL, each with a family of its own.") ]]

   [[ say("เลือกตามเลขที่รับบริการได้ด้วย เพื่ออ่านครั้งที่รออยู่ซ้ำโดยไม่อ่านทั้งวัน (ไม่บังคับ ดู docs/new-his.md) เช่น",
          "It may also select named visits, so that those that wait are read again without their whole day (optional, see docs/new-his.md), such as:") ]]
     WHERE {% if by_visit %} v.visit_no IN :visits {% else %} v.visit_day IN (:day, :buddhist_day) {% endif %}

   [[ say("พารามิเตอร์", "Parameters") ]]
[[ guide.parameters(of_day) ]]
   [[ say("แม่แบบ (Jinja)", "Template (Jinja)") ]]
[[ guide.functions() -]]
#}
[[ guide.nulls(columns) -]]
