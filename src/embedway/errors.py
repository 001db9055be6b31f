"""Every error that Embedway raises on purpose.

An error carries its meaning (`code`, HTTP `status`, one sentence); a dialect decides how it looks on the wire.

    EmbedwayError                 500  internal_error
    ├── InvalidInput              400  invalid_request       names the path of the bad field
    │   └── SecretRequired        400  secret_required       a masked secret that stands for none
    ├── Unauthenticated           401  unauthenticated
    │   └── SignatureRefused      401  signature_refused     names Alibaba Cloud's own code for it
    ├── Forbidden                 403  forbidden
    │   └── NoPermission          403  no_permission         the caller is known, and may not do this
    ├── ModelNotFound             404  model_not_found
    ├── InstanceNotFound          404  instance_not_found
    ├── JobNotFound               404  job_not_found
    ├── WorkspaceNotFound         404  workspace_not_found
    ├── KeyNotFound               404  key_not_found
    ├── DeploymentNotFound        404  deployment_not_found
    ├── RouteNotFound             404  route_not_found
    ├── MethodNotAllowed          405  method_not_allowed
    ├── BodyTimeout               408  body_timeout
    ├── BodyTooLarge              413  body_too_large
    ├── UnsupportedBody           415  unsupported_body
    ├── Conflict                  409  conflict              the name is taken
    ├── Overloaded                429  overloaded            says when to come back
    │   └── RateExceeded          429  rate_exceeded         a quota that time refills
    ├── QuotaExceeded             429  quota_exceeded        a quota that no waiting can meet
    ├── ModelFailed               500  model_failed          the pass over this very item failed
    ├── RemoteFailed              502  remote_failed         a remote model does not answer, or not what it should
    ├── Unavailable               503  unavailable           not warm yet, hung, or draining
    │   └── StoreUnavailable      503  store_unavailable     the database cannot be reached
    ├── DeadlineExceeded          504  deadline_exceeded
    └── SetupError                 —   what stops the program from starting; never reaches the wire
        ├── SettingsError              a flag, variable or key of the configuration
        ├── ModelFilesError            a model's files: missing, damaged, unsupported
        └── NoRoom                     a model that the memory has no room for
"""

from collections.abc import Mapping


class EmbedwayError(Exception):
    """The root. `message` is one sentence that a caller may read; it holds no secret and no stack."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(EmbedwayError):
    """The request is understood and wrong.

    `field` is a JSON path such as `$.input[1]`, or None. Below the dialects nobody knows the wire's names: there `item`
    says which item of the call is meant.
    """

    status = 400
    code = "invalid_request"

    def __init__(self, message: str, field: str | None = None, item: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.item = item


class SecretRequired(InvalidInput):
    """A masked secret came back that stands for no stored one, or must not be sent where it would go now."""

    code = "secret_required"


class Unauthenticated(EmbedwayError):
    status = 401
    code = "unauthenticated"


GATEWAY_STATUSES: Mapping[str, int] = {
    "IncompleteSignature": 400,
    "InvalidTimeStamp.Format": 400,
    "InvalidTimeStamp.Expired": 400,
    "InvalidAccessKeyId.NotFound": 404,
    "InvalidAccessKeyId.Inactive": 403,
    "SignatureDoesNotMatch": 400,
    "SignatureNonceUsed": 400,
    "InvalidSecurityToken.NotSupported": 400,
}
"""With what Alibaba Cloud's gateway refuses signed requests: code and status. The last code is Embedway's own."""


class SignatureRefused(Unauthenticated):
    """A signed request that is not believed. It never says what the signature should have been.

    `reason` is one of `GATEWAY_STATUSES`, and `gateway_status` its status: what the dialects of Alibaba Cloud answer.
    Elsewhere it is 401.
    """

    code = "signature_refused"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.gateway_status = GATEWAY_STATUSES[reason]


class Forbidden(EmbedwayError):
    status = 403
    code = "forbidden"


class NoPermission(Forbidden):
    """The caller is known, and its permissions do not cover the action. `reason` is Alibaba Cloud's code for it."""

    code = "no_permission"
    reason = "NoPermission"


class ModelNotFound(EmbedwayError):
    """No model, alias or deployment has this name. `name` is what the caller asked for."""

    status = 404
    code = "model_not_found"

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class InstanceNotFound(EmbedwayError):
    status = 404
    code = "instance_not_found"


class JobNotFound(EmbedwayError):
    status = 404
    code = "job_not_found"


class WorkspaceNotFound(EmbedwayError):
    status = 404
    code = "workspace_not_found"


class KeyNotFound(EmbedwayError):
    status = 404
    code = "key_not_found"


class DeploymentNotFound(EmbedwayError):
    """No deployment or training to manage has this name; one that is called and not there is a `ModelNotFound`."""

    status = 404
    code = "deployment_not_found"


class RouteNotFound(EmbedwayError):
    status = 404
    code = "route_not_found"


class MethodNotAllowed(EmbedwayError):
    """`allowed` lists the methods that the path has."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class BodyTimeout(EmbedwayError):
    status = 408
    code = "body_timeout"


class BodyTooLarge(EmbedwayError):
    status = 413
    code = "body_too_large"


class UnsupportedBody(EmbedwayError):
    status = 415
    code = "unsupported_body"


class Conflict(EmbedwayError):
    status = 409
    code = "conflict"


class Overloaded(EmbedwayError):
    """Refused before any work was done. `retry_after_s` is a whole number of seconds, at least 1."""

    status = 429
    code = "overloaded"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateExceeded(Overloaded):
    """More than a quota allows just now. `unit` is what it counts: requests (also those at the same time) or tokens.

    `retry_after_ms` is when the same call would pass if nobody else called; `retry_after_s` is rounded up.
    """

    code = "rate_exceeded"

    def __init__(self, message: str, retry_after_ms: int, unit: str = "requests") -> None:
        super().__init__(message, max(1, -(-retry_after_ms // 1000)))
        self.retry_after_ms = retry_after_ms
        self.unit = unit


class QuotaExceeded(EmbedwayError):
    """More in one request than a quota ever allows: waiting does not help, and clients must not try again."""

    status = 429
    code = "quota_exceeded"


class ModelFailed(EmbedwayError):
    status = 500
    code = "model_failed"


class Unavailable(EmbedwayError):
    status = 503
    code = "unavailable"


class StoreUnavailable(Unavailable):
    """The database cannot be reached, or does not answer in time; nothing was changed, or the caller must look."""

    code = "store_unavailable"


class RemoteFailed(EmbedwayError):
    """A remote model failed, answered too late, or something that is no answer. The message names no secret."""

    status = 502
    code = "remote_failed"


class DeadlineExceeded(EmbedwayError):
    status = 504
    code = "deadline_exceeded"


class SetupError(EmbedwayError):
    code = "setup_error"


class SettingsError(SetupError):
    code = "settings_error"


class ModelFilesError(SetupError):
    code = "model_files_error"


class UnsupportedModel(ModelFilesError):
    """The files are whole, but ask for what no family or head here does; another backend may do it."""


class NoRoom(SetupError):
    """A model needs more memory than is free. The message gives both figures."""

    code = "no_room"
