"""Where rules come from: the sources that several rules share, as the list of rules names them."""

GAZETTE = "Royal Gazette vol. 142, special 397 ง and 377 ง"
API = "payload of MOPH Claim"
VACCINE_LIST = "list of claimable vaccines"
DATABASES = "reports of hospital databases"
