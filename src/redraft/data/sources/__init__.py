"""One log format per file; each reads raw files into states for `redraft.data.ingest`. `registry` names them all."""
