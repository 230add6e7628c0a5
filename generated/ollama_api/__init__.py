"""A typed client for Ollama's REST API, without a transport: models and request builders.

`ollama_api.models` holds what requests and responses hold, `ollama_api.api` one module an
operation, `ollama_api.types` what they share. Generated from spec/ollama.yaml by codegen.sh;
change the spec or the templates, never this.
"""
