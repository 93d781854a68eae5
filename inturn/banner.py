"""What `inturn serve` says when it is ready: a key, three commands to paste, the docs."""

import json

_TEXT = """
Inturn answers at {url}
Development key: {key}

Create a session; say something and wait for the answer; read the conversation:

SESSION=$({create} | grep -o 'sess_[0-9a-f]*' | head -n 1); echo $SESSION
{say}; echo
{read}; echo

API docs: {url}/docs
"""


def banner(url: str, key: str) -> str:
    """Print the three commands so that they work pasted one after the other in any shell."""
    sessions = f"curl -s {url}/v1/sessions"
    messages = f"{sessions}/$SESSION/messages"
    auth = f"-H 'X-API-Key: {key}'"
    return _TEXT.format(
        url=url,
        key=key,
        create=f"{sessions} {auth} {_json({'agent': 'echo'})}",
        say=f"{messages} {auth} -H 'Prefer: wait=10' {_json({'content': 'Hello, Inturn'})}",
        read=f"{messages} {auth}",
    )


def _json(body: dict[str, str]) -> str:
    return f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'"
