"""A program in a pod: it has no secret, but a token of its ServiceAccount in a file that the kubelet renews."""

import os
from pathlib import Path

import requests

from tests.interop.python.answering import answer_lines

TOKEN_ENDPOINT, RESOURCE, API_URL = os.environ["TOKEN_ENDPOINT"], os.environ["RESOURCE"], os.environ["API_URL"]
TOKEN_FILE = Path(os.environ["TOKEN_FILE"])
SECONDS = 10


def token() -> str:
    """A new token of the gate."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": TOKEN_FILE.read_text(),
        "resource": RESOURCE,
    }
    answer = requests.post(TOKEN_ENDPOINT, data=form, timeout=SECONDS)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def call() -> int:
    """The status that the API answers."""
    answer = requests.get(API_URL, headers={"Authorization": f"Bearer {token()}"}, timeout=SECONDS)
    return int(answer.status_code)


answer_lines(token=token, call=call)
