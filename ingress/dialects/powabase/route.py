"""Who may come in: end users to conversations only, and agents are the operator's."""

from ingress.call import Call
from ingress.dialects.powabase.wire.error import SERVICE_ROLE
from ingress.route import LenientRoute
from shared.domain.access import Access
from shared.domain.errors import Forbidden
from shared.domain.principal import Scope


class ServiceRoute(LenientRoute):
    """For keys that act for the project, and not for one of its users."""

    async def enter(self, call: Call) -> Access:
        access = await super().enter(call)
        if access.principal.scope is Scope.USER:
            raise Forbidden(SERVICE_ROLE)
        return access


class OperatorRoute(LenientRoute):
    """For keys of scope admin: agents belong to no tenant."""

    scope = Scope.ADMIN  # refused by `enter`, in this contract's words

    async def enter(self, call: Call) -> Access:
        access = await super().enter(call)
        if access.principal.scope is not Scope.ADMIN:
            raise Forbidden(SERVICE_ROLE)
        return access
