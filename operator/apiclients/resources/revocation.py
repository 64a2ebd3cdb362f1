"""TokenRevocation: one access token that is refused although it has not ended (RFC 7009). Gates write them."""

from typing import Annotated

from pydantic import Field

from apiclients.resources.fields import Model, Time

#: The name is the SHA-256 of what is signed of the token, header and claims with the dot between, in hexadecimal.
REVOCATION_NAME_LENGTH = 64


class TokenRevocationSpec(Model):
    client_uid: Annotated[
        str, Field(max_length=64, description="UID of the ApiClient whose token it is; its revocations are counted.")
    ] = ""
    client_namespace: Annotated[
        str, Field(max_length=63, description="Namespace of that ApiClient; its revocations are counted as well.")
    ] = ""
    expires_time: Annotated[Time, Field(description="When the token ends anyway. The operator removes this after it.")]
