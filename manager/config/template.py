"""The file that ``ollama-manager config init`` writes: every key, commented out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from manager.config.keys import keys_of, masked
from manager.config.model import TABLES

if TYPE_CHECKING:
    from manager.config.keys import Key

__all__ = ["SCHEMA_NAME", "render_template"]

SCHEMA_NAME = "ollama-manager.schema.json"
"""The JSON Schema that lies beside the file; the file's first line names it for editors."""

_HEAD = f"""\
#:schema ./{SCHEMA_NAME}
# The settings of ollama-manager. What is commented out is the default, or an example of what
# may stand there. Managers that run use a change as soon as this file is saved.
#
# ollama-manager config check    says whether it is right
# ollama-manager config show     what holds, and where each value came from
"""

_MODELS = """\
# Calls of one model send these where they do not say otherwise.
# [defaults.models."llama3.2"]
# keep_alive = "2h"
# options = { num_ctx = 16384 }
"""

_EXAMPLES = {
    "server.binary": '"/usr/local/bin/ollama"',
    "server.env": '{ CUDA_VISIBLE_DEVICES = "0" }',
    "server.models": '"~/.ollama/models"',
    "server.origins": '["http://localhost:3000"]',
    "server.remotes": '["ollama.com"]',
    "server.keep_alive": '"5m"',
    "server.load_timeout": '"5m"',
    "server.kv_cache_type": '"q8_0"',
    "server.llm_library": '"cpu"',
    "server.num_parallel": "1",
    "server.max_loaded_models": "0",
    "server.max_queue": "512",
    "server.max_transfer_streams": "4",
    "server.context_length": "0",
    "server.gpu_overhead": "0",
    "server.flash_attention": "true",
    "server.igpu_enable": "true",
    "server.vulkan": "true",
    "server.go_template": "true",
    "client.total_timeout": '"none"',
    "client.api_key": '"secret"',
    "client.headers": '{ x-team = "axiom" }',
    "client.cert": '["/etc/ssl/client.pem", "/etc/ssl/client.key"]',
    "client.proxy": '"http://proxy.example:3128"',
    "logging.file": '"~/ollama-calls.log"',
    "defaults.keep_alive": '"30m"',
    "defaults.think": "false",
    "defaults.options": "{ temperature = 0.2 }",
}


def render_template() -> str:
    """Return the text of the file; as it is, it sets nothing."""
    parts = [_HEAD]
    for table in TABLES:
        lines = [f"[{table.table}]"]
        for about in keys_of(table):
            if about.path != "defaults.models":
                lines += [f"# {about.doc}", f"# {about.name} = {_value(about)}", ""]
        parts.append("\n".join(lines))
    return "\n".join(parts) + "\n" + _MODELS


def _value(about: Key) -> str:
    if about.path in _EXAMPLES:
        return _EXAMPLES[about.path]
    value = False if about.variable else masked(about, about.default)
    return json.dumps(value)
