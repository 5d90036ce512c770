"""What routes ask for: the services, and who is asking."""

from typing import Annotated

from fastapi import Depends, Request

from api.services import Services
from kb import keys
from kb.access import ANONYMOUS, Principal
from kb.errors import Unauthenticated


def services(request: Request) -> Services:
    """Return the parts of this process."""
    found: Services = request.app.state.services
    return found


def reader(request: Request) -> Principal:
    """Return who asks: the holder of the API key sent, else the anonymous reader.

    Raises Unauthenticated for a key that is not valid, rather than quietly showing less.
    """
    header = request.headers.get("authorization")
    if header is None:
        return ANONYMOUS
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("send the key as: Authorization: Bearer KEY")
    with services(request).db.read() as session:
        return keys.principal(session, secret.strip())


ServicesDep = Annotated[Services, Depends(services)]
ReaderDep = Annotated[Principal, Depends(reader)]
