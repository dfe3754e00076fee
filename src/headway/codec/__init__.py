"""Values to bytes and back: `wire` for what machines write, `human` for what people write, `lock` for headway.lock."""
