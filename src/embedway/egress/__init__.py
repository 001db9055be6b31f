"""The one way out: what a caller or a registered model names as a URL is asked here, or not at all.

A host's addresses are looked up here, all of them must be public unless that is allowed, and the connection goes to one
of those very addresses, so that no second answer of the name service can lead elsewhere (DNS rebinding). A redirect is
a new URL and passes the same checks; no credential goes along. No proxy or cookie of the process has a part in it.
Sizes and times are bounded.
"""

from embedway.egress.address import Refused, is_public
from embedway.egress.fetch import Egress, EgressRules

__all__ = ["Egress", "EgressRules", "Refused", "is_public"]
