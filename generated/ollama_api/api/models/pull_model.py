from __future__ import annotations

from ...models.progress_response import ProgressResponse
from ...models.pull_request import PullRequest
from ...types import Request


def build_request(*, body: PullRequest) -> Request[ProgressResponse]:
    """Download a model from a registry.

    Fetches what is missing of the model and reports progress, layer by layer; a broken download
    goes on where it stopped. The last report has the status `success`. A failure is an error line
    (the first report has been sent by then), or status 500 when not streaming: that includes a
    model that the registry does not have.

    Args:
        body (PullRequest): What to send.

    Returns:
        The request `POST /api/pull`; nothing is sent.
    """
    return Request(
        operation_id="pull_model",
        method="POST",
        path="/api/pull",
        json=body.to_dict(),
        decode=ProgressResponse.from_dict,
    )
