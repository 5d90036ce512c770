"""What routes ask for: the services, and who is asking."""

from typing import Annotated

from fastapi import Depends, Request, Security

from api.auth import principal
from api.services import Services
from kb.access import Permission, Principal


def services(request: Request) -> Services:
    """Return the parts of this process."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]

# Who asks. A key has to have the permission; what its role may is checked where the thing is done.
ReaderDep = Annotated[Principal, Security(principal, scopes=[Permission.READ.value])]
ReporterDep = Annotated[Principal, Security(principal, scopes=[Permission.EVENTS.value])]
WriterDep = Annotated[Principal, Security(principal, scopes=[Permission.WRITE.value])]
IngesterDep = Annotated[Principal, Security(principal, scopes=[Permission.INGEST.value])]
AdminDep = Annotated[Principal, Security(principal, scopes=[Permission.ADMIN.value])]
