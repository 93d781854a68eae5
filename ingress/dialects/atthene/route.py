"""Routes that read YAML, too."""

from ingress.body import JSON, check_media_type
from ingress.call import Call
from ingress.route import LenientRoute
from ingress.strictjson import parse_json
from ingress.strictyaml import parse_yaml

YAML = ("application/yaml", "application/x-yaml", "text/yaml")


class ConfigurationRoute(LenientRoute):
    """A body may be JSON or YAML, as its content type says."""

    async def read_body(self, call: Call) -> None:
        raw = await call.read_raw()
        if raw:
            named = check_media_type(call.scope, JSON, *YAML)
            call.has_body = True
            call.parsed = parse_json(raw) if named == JSON else parse_yaml(raw)
