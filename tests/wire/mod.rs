//! The contract of the binary on the wire: HTTP, WebSocket, command line.

mod command;
mod documents;
mod hostile;
mod http;
mod mutants;
mod network;
pub mod oauth;
mod rates;
mod roles;
mod servers;
pub mod signin;
mod slow;
mod socket;
mod sse;
mod supply;
