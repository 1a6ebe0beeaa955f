//! Prints the JSON schema: `cargo xtask schema` writes it to `docs/schema/upkeep.schema.json`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(upkeep_config::schema().as_bytes())
}
