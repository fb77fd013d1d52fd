"""The tables of a JHCIS database, as public models and reports of several health centres describe them.

Where those leave a key open the choice made here is plain. Two things differ from the models on purpose.
`person.idcard` is wider than 13 so that a number typed with dashes fits, as it does at sites that widened it. The
tables of a visit carry the indexes its screens open them by: the day, the person, and the visit's number.
"""

import sqlalchemy as sa

from sandbox.his.schema import tables_of

_SCHEMA = """
office(offid varchar(5) pk)
chospital(hoscode varchar(5) pk, hosname varchar(255))
person(pcucodeperson varchar(5), pid int, prename varchar(20), fname varchar(25), lname varchar(35), birth date, sex char(1), idcard varchar(17), marystatus char(1), occupa varchar(4), nation varchar(3), rightcode varchar(4), dischargetype char(1), pk(pcucodeperson,pid))
visit(pcucode varchar(5), visitno int, visitdate date ix, pcucodeperson varchar(5), pid int, timestart time, timeend time, rightcode varchar(4), hosmain varchar(9), hossub varchar(9), username varchar(50), flagservice char(2), money1 double, claimcode_nhso varchar(30), hiciauthen_nhso varchar(30), datetime_claim datetime, main_inscl varchar(10), dateupdate datetime, pk(pcucode,visitno), ix(pcucodeperson,pid))
visitdiag(pcucode varchar(5), visitno int, diagcode varchar(10), dxtype char(2), doctordiag varchar(50), dateupdate datetime, ix(pcucode,visitno))
cdisease(diseasecode varchar(10) pk, diseasename varchar(255), mapdisease varchar(10))
visitepi(pcucode varchar(5), visitno int, pcucodeperson varchar(5), pid int, vaccinecode varchar(15), dateepi date ix, lotno varchar(30), datevacineexpire date, manufacturer varchar(50), hosservice varchar(5), dateupdate datetime, ix(pcucode,visitno))
cdrug(drugcode varchar(24) pk, drugname varchar(255), drugtype char(2), files18epi varchar(3), drugflag char(1))
visitlabchcyhembmsse(pcucode varchar(5), visitno int, pcucodeperson varchar(5), pid int, datecheck date, seqonday int, labcode varchar(15), labresultdigit double, labresulttext varchar(255), ix(pcucode,visitno))
clabchcyhembmsse(labcode varchar(15) pk, labname varchar(255))
user(pcucode varchar(5), username varchar(50), prename varchar(20), fullname varchar(100), idcard varchar(13), noofoccupation varchar(30), markdelete char(1), pk(pcucode,username))
cright(rightcode varchar(4) pk, rightname varchar(255), rightgroup char(1))
ctitle(titlecode varchar(3) pk, titlename varchar(25))
cnation(nationcode varchar(3) pk, nationname varchar(50))
coccupa(occupacode varchar(4) pk, occupaname varchar(50))
cstatus(statuscode char(1) pk, statusname varchar(20))
"""


def jhcis_tables() -> sa.MetaData:
    """All JHCIS tables the reference names, in the order in which to fill them."""
    return tables_of(_SCHEMA)
