//! The contract of the binary on the wire: HTTP, WebSocket, command line.

mod command;
mod hostile;
mod http;
mod network;
mod rates;
mod signin;
mod slow;
mod socket;
mod sse;
mod supply;
