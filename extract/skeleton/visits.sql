[% import "_guide.jinja" as guide with context %]
{# [[ say("ครั้งที่มีผลแล็บหรือวัคซีนข้างต้น หนึ่งแถวต่อครั้ง", "The visits that have such a result or dose, one row each.") ]]

   [[ say("สิทธิหรือรหัสปิดสิทธิหลายแถวต่อครั้ง ต้องรวมเป็นหนึ่งแถวก่อนนำมาต่อ เช่น",
          "What has several rows a visit (rights, closing codes) is brought down to one before it is joined, such as:") ]]
     FROM visit v LEFT JOIN person p ON p.hn = v.hn WHERE v.visit_no IN :visits

   [[ say("พารามิเตอร์", "Parameters") ]]
[[ guide.parameters(of_visits + of_day) ]]
   [[ say("แม่แบบ (Jinja)", "Template (Jinja)") ]]
[[ guide.functions() -]]
#}
[[ guide.nulls(columns) -]]
