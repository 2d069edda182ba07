"""requests, in one session: with_requests.py FILE. The addresses, a line each, one after the other."""

import os
import sys

import requests

records = 0
with requests.Session() as session, open(sys.argv[1]) as addresses:
    session.headers["Authorization"] = "Bearer " + os.environ["CALIRA_TOKEN"]
    for address in addresses:
        answer = session.get(address.strip())
        answer.raise_for_status()
        body = answer.json()
        records += len(body) if isinstance(body, list) else 1
print(records)
