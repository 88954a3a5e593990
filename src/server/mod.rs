//! Dicast as a server of others: the program itself for MCP clients, and the embedded memory server.
//!
//! It must not know actors, the screen or the shell: the memory is files of its own, and what the program does is
//! given to the server as an [`mcp::Office`].

pub mod mcp;
pub mod memory;
